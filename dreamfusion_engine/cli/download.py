"""The command that downloads a model."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from dreamfusion_engine.cli.early_end import GO_ON, told_early_end
from dreamfusion_engine.commands import console
from dreamfusion_engine.commands.advised_command import again_command
from dreamfusion_engine.events import Downloaded, Event
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.hub.address import hub_address
from dreamfusion_engine.machine.stop_signals import STOP_DOWNLOAD, stop_on_signals
from dreamfusion_engine.wire.messages import event_message
from dreamfusion_engine.wire.printed import JsonLines


def download(options: argparse.Namespace, arguments: list[str]) -> int:
    """Download a model, show how it goes, and return the exit code.

    options: of the command.
    arguments: str words of the command line.
    """
    from dreamfusion_engine.models.hub_models import download_model

    address = hub_address()
    if options.offline:
        address = dataclasses.replace(address, offline=True)
    screen = console.ProgressDisplay(sys.stderr)
    lines = JsonLines(console.claim_stdout(), "download") if options.json else None

    def report(event: Event) -> None:
        if lines is None:
            screen.show(event)
        else:
            lines.say(event_message(event)[0])

    try:
        with stop_on_signals(STOP_DOWNLOAD) as stopped:
            got = download_model(
                options.name,
                address,
                revision=options.revision,
                weights=not options.configs,
                report=report,
                control=lambda: "cancel" if stopped() or screen.gone else "continue",
            )
    except (Exception, KeyboardInterrupt) as error:
        screen.clear()
        ours = as_engine_error(error)
        return told_early_end(ours, lines, GO_ON, again_command(arguments))
    screen.clear()
    if lines is not None:
        done = Downloaded(model=options.name, folder=str(got.folder), size=got.bytes, license=got.license)
        lines.say(event_message(done)[0])
        return 0
    what = f"{got.files} files, {got.bytes / 1e6:,.0f} MB, every checksum is right"
    print(f"{options.name}: {what}")
    print(f"  {got.folder}")
    if got.license:
        print(f"  licence: {got.license}")
    if not options.configs:
        print(f'  To use it: dreamfusion-engine generate "a hamburger" --model {options.name}')
    return 0
