"""The Model Context Protocol server: the tools behind the protocol's official SDK, until the client goes away."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from dreamfusion_engine import __version__
from dreamfusion_engine.agents.arguments import input_schema
from dreamfusion_engine.agents.declared import TOOLS
from dreamfusion_engine.agents.engine import Engine
from dreamfusion_engine.agents.folder import AllowedFolder
from dreamfusion_engine.agents.runs import Runs
from dreamfusion_engine.agents.stdio import Transport
from dreamfusion_engine.agents.tools import Answer, Tools
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.failures import as_engine_error

END_SECONDS = 30.0  # for a run to write its checkpoint once the client has gone
MIME = {".glb": "model/gltf-binary", ".png": "image/png", ".mp4": "video/mp4", ".json": "application/json"}
INSTRUCTIONS = """Makes textured 3D objects (binary glTF) of text prompts and pictures, here and without a network.
Call list_models first: the built-in starter knows only the kinds, colours and parts that it lists.
generate answers at once with the name of a run. Call watch until its state is done, then result for its files.
A draft takes minutes. All files lie in one allowed folder; paths outside it are refused."""


def serve(folder: Path, stdin: BinaryIO, stdout: BinaryIO, begin: Callable[..., Engine] = Engine) -> int:
    """Hold one conversation and return the exit code.

    folder: Path of the only folder that is read and written.
    stdin, stdout: of the conversation; stdin is unbuffered, and sys.stdout must not lead to stdout.
    begin: starts an engine's process.
    Raises InputError for a folder that cannot be used.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    allowed = AllowedFolder(folder)
    runs = Runs(allowed.path, begin)
    server = _server(Tools(allowed, runs))

    async def converse() -> None:
        async with Transport(stdin, stdout).streams() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    try:
        anyio.run(converse)
    finally:
        runs.close(END_SECONDS)
    return 0


def _server(tools: Tools) -> Server[Any]:
    async def list_tools(
        _context: ServerRequestContext[Any], _asked: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(name) for name in TOOLS])

    async def call_tool(context: ServerRequestContext[Any], asked: types.CallToolRequestParams) -> types.CallToolResult:
        async def tell(share: float, words: str) -> None:
            await context.session.report_progress(round(100.0 * share, 2), 100.0, words)

        try:
            return _answered(await tools.call(asked.name, asked.arguments or {}, tell))
        except Exception as error:  # told to the client, whatever it is
            return _refused(as_engine_error(error))

    return Server(
        "dreamfusion-engine",
        version=__version__,
        title="DreamFusion",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _described(name: str) -> types.Tool:
    tool = TOOLS[name]
    hints = types.ToolAnnotations(read_only_hint=tool.reads, destructive_hint=False, open_world_hint=False)
    return types.Tool(name=name, description=tool.says, input_schema=input_schema(tool.takes), annotations=hints)


def _answered(answer: Answer) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=json.dumps(answer.said))]
    if answer.picture:
        data = base64.b64encode(answer.picture).decode()
        content.append(types.ImageContent(type="image", data=data, mime_type="image/png"))
    for path in answer.files:
        content.append(
            types.ResourceLink(
                type="resource_link",
                name=path.name,
                uri=path.as_uri(),
                mime_type=MIME.get(path.suffix, "application/octet-stream"),
                size=path.stat().st_size,
            )
        )
    return types.CallToolResult(content=content, structured_content=answer.said)


def _refused(error: EngineError) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=str(error))],
        structured_content={"type": "failed", **error.to_json()},
        is_error=True,
    )
