"""Standard input and output as the SDK's streams, within bounds: long lines, garbage and floods cost no memory.

The SDK's own transport reads lines of any length, and as many requests as come. Here a line has a limit, what is no
message is answered a few times and then passed over, and reading waits while many requests are unanswered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import ServerMessageMetadata, SessionMessage

from dreamfusion_engine.wire.bounded_json import UnsafeJson, parse_json
from dreamfusion_engine.wire.pipe_reader import PipeReader
from dreamfusion_engine.wire.protocol import LINE_LIMIT

UNANSWERED = 64  # requests at once; more wait in the pipe
COMPLAINTS = 10  # lines in a row that are answered though they are no message
LONGEST_ID = 200  # characters of an id that is sent back with a complaint
_PIECE = 1 << 16

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]


class Line(ValueError):
    """A line that is no message; the text says why."""


class Transport:
    """The two streams of a conversation."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        """Prepare.

        stdin: binary, unbuffered.
        stdout: binary, that only this writes to.
        """
        self._reader = PipeReader(stdin)
        self._stdout = stdout
        self._open = 0  # requests that are unanswered
        self._fewer = anyio.Event()

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[tuple[Incoming, Outgoing]]:
        """Yield what the SDK reads from and writes to. The first ends with the input, or when nobody reads."""
        to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as group:
            reading = anyio.CancelScope()

            async def read() -> None:
                with reading:
                    async with to_server:
                        await self._read(to_server, outgoing)

            async def write() -> None:
                async with from_server:
                    try:
                        async for message in from_server:
                            await self._write(message)
                    except (OSError, ValueError):  # nobody reads any more
                        reading.cancel()

            group.start_soon(read)
            group.start_soon(write)
            yield incoming, outgoing
            group.cancel_scope.cancel()

    async def _read(self, to_server: MemoryObjectSendStream[SessionMessage | Exception], outgoing: Outgoing) -> None:
        complaints = 0
        while True:
            while self._open >= UNANSWERED:
                self._fewer = anyio.Event()
                await self._fewer.wait()
            try:
                line = await anyio.to_thread.run_sync(self._line, abandon_on_cancel=True)
            except (OSError, ValueError) as error:
                if not isinstance(error, Line):
                    return
                complaints += 1
                if complaints <= COMPLAINTS:
                    await self._complain(outgoing, str(error))
                continue
            if line is None:
                return
            try:
                said = parse_json(line)
                message = _message(said)
            except UnsafeJson as error:
                complaints += 1
                if complaints <= COMPLAINTS:
                    await self._complain(outgoing, str(error))
                continue
            except ValueError:
                complaints += 1
                if complaints <= COMPLAINTS:
                    await self._refuse(outgoing, request_id(said))
                continue
            complaints = 0
            if isinstance(message, types.JSONRPCRequest):
                self._open += 1
            await to_server.send(SessionMessage(message, ServerMessageMetadata(on_request_unanswered=self._one_less)))

    def _line(self) -> bytes | None:
        """The next line; None at the end. Raises Line for one that is too long, after passing over it."""
        line = self._reader.readline(LINE_LIMIT + 1)
        if not line:
            return None
        if line.endswith(b"\n") or len(line) <= LINE_LIMIT:
            return line
        while piece := self._reader.readline(_PIECE):
            if piece.endswith(b"\n"):
                break
        raise Line(f"A line was longer than {LINE_LIMIT:,} bytes.")

    async def _complain(self, outgoing: Outgoing, why: str) -> None:
        """Answer a line that cannot be read, and so has no id: null is JSON-RPC's word for that."""
        error = types.ErrorData(code=types.PARSE_ERROR, message=f"A line could not be read: {why[:300]}")
        await outgoing.send(SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=None, error=error)))

    async def _refuse(self, outgoing: Outgoing, name: int | str | None) -> None:
        """Answer JSON that is no message. name: the id that it has, so that its client does not wait for ever."""
        error = types.ErrorData(code=types.INVALID_REQUEST, message="It is no JSON-RPC 2.0 message.")
        self._open += name is not None  # as for a request: its answer takes it back
        await outgoing.send(SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=name, error=error)))

    async def _write(self, message: SessionMessage) -> None:
        said: Any = message.message
        if isinstance(said, types.JSONRPCResponse | types.JSONRPCError) and said.id is not None:
            await self._one_less()
        line = said.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        await anyio.to_thread.run_sync(self._put, line, abandon_on_cancel=True)

    def _put(self, line: bytes) -> None:
        self._stdout.write(line)
        self._stdout.flush()

    async def _one_less(self) -> None:
        self._open = max(0, self._open - 1)
        self._fewer.set()


def _message(said: Any) -> types.JSONRPCMessage:
    """JSON as a message. Raises ValueError where it is none."""
    message: types.JSONRPCMessage = types.jsonrpc_message_adapter.validate_python(said, by_name=False)
    if isinstance(message, types.JSONRPCNotification) and "id" in said:  # the SDK passes over an id that cannot be one
        raise ValueError("a request whose id is none")
    return message


def request_id(said: Any) -> int | str | None:
    """Return the id of JSON that was meant as a request; None where it has none that can be one.

    What may be an answer has the id of a question of ours: it is not sent back.

    said: as JSON gave it.
    """
    if not isinstance(said, dict) or not {"method", "id"} <= said.keys() or {"result", "error"} & said.keys():
        return None
    name = said["id"]
    known = isinstance(name, int | str) and not isinstance(name, bool)
    return name if known and len(str(name)) <= LONGEST_ID else None
