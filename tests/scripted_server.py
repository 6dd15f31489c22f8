"""A server on a Unix socket that answers as a script says: what a client must cope with, without a sentinel."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

Answer = Callable[[socket.socket], None]


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Answers each connection with the next line of its script, and remembers what was asked."""

    path: Path
    script: list[Answer]
    asked: list[Asked] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        script = iter(self.script)
        answer = next(script, None)
        while answer is not None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                first = stream.readline().decode()
                if not first:
                    continue  # somebody only looked who listens here
                method, path, _ = first.split(" ", 2)
                headers = {}
                while line := stream.readline().strip():
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", "0")))
                self.asked.append(Asked(method, path, headers, body))
                answer(connection)
            answer = next(script, None)
        listener.close()


@contextmanager
def scripted_server(path: Path, *script: Answer) -> Iterator[ScriptedServer]:
    """The server, until the block ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    server = ScriptedServer(path, list(script))
    thread = threading.Thread(target=server.serve, args=(listener,))
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):  # the script may be done
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def says(status: int, body: object, media_type: str = "application/json") -> Answer:
    """A whole answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(connection: socket.socket) -> None:
        connection.sendall(
            f"HTTP/1.1 {status} X\r\nContent-Type: {media_type}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
        )

    return answer


def problem(status: int, code: str, **lines: object) -> Answer:
    """An answer that says what went wrong."""
    body = {"code": code, "detail": "it went wrong", "status": status, **lines}
    return says(status, body, "application/problem+json")


def streams(*events: tuple[str, object], head: bytes = b": still here\n\n") -> Answer:
    """A stream of events, in chunks as a server sends them; it breaks off after the last."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        frames = [f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in events]
        for each in (head, *frames):
            connection.sendall(f"{len(each):x}\r\n".encode() + each + b"\r\n")

    return answer


def hangs_up(_connection: socket.socket) -> None:
    """The connection ends without an answer."""
