"""Standard output and standard error where they are interrupted, take bytes in parts, or take none."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import struct
import termios
import threading
import time

import pytest

from casparian_flow.clients.cli.standard_streams import told_apart
from casparian_flow.core.errors import AnswerUnwritten

ROOM = 4096
SECONDS = 60


def test_an_interrupted_answer_is_not_written_a_second_time() -> None:
    reader, writer = os.pipe()
    filled = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) - ROOM
    os.write(writer, b"-" * filled)
    text = "".join(f"line {number}\n" for number in range(600))
    assert ROOM < len(text) < io.DEFAULT_BUFFER_SIZE
    interrupting = threading.Thread(target=_interrupt_when_full, args=(writer, filled + ROOM))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with os.fdopen(writer, "w") as plain:
            answer = told_apart(plain)
            answer.write(text)
            interrupting.start()
            with pytest.raises(KeyboardInterrupt):
                answer.flush()
            interrupting.join()
            assert os.read(reader, filled + ROOM) == b"-" * filled + text[:ROOM].encode()
            answer.flush()
            assert os.read(reader, filled) == text[ROOM:].encode()
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(reader)


def test_an_answer_without_a_buffer_is_whole_or_said_to_be_cut() -> None:
    reader, writer = os.pipe()
    room = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    os.set_blocking(writer, False)
    with os.fdopen(reader, "rb") as reading, io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True) as plain:
        answer = told_apart(plain)
        answer.write("a" * room)
        assert reading.read(room) == b"a" * room
        with pytest.raises(AnswerUnwritten, match="could not be written"):
            answer.write("b" * (room + 1))
        assert reading.read(room) == b"b" * room


def _interrupt_when_full(writer: int, full: int) -> None:
    """Interrupt the main thread when its write has given the pipe all it takes, and waits."""
    until = time.monotonic() + SECONDS
    while _held(writer) < full and time.monotonic() < until:
        time.sleep(0.001)
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def _held(pipe: int) -> int:
    """The bytes a pipe holds."""
    (held,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(held)
