"""Standard output, which tells its own failures apart, and standard error, whose failures end nothing."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from casparian_flow.core.errors import AnswerUnwritten


def stand_in_for_closed() -> None:
    """Where a standard stream was closed no other file ever gets its number, and what is written there is refused."""
    while (number := os.open(os.devnull, os.O_RDONLY)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(io.FileIO(number, "w", closefd=False))))


def told_apart(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, but what the system refuses raises AnswerUnwritten; one that is no plain file stays as it is."""
    if (raw := _plain_file(stream)) is None:
        return stream
    if raw is stream.buffer:
        return _over(_BareAnswer(raw.fileno(), "w", closefd=False), stream)
    return _over(_BufferedAnswer(io.FileIO(raw.fileno(), "w", closefd=False)), stream)


def told_aside(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, but what the system refuses is lost: who reads it has gone, and nobody else could be told."""
    raw = _plain_file(stream)
    return stream if raw is None else _over(_Aside(raw.fileno(), "w", closefd=False), stream)


def _plain_file(stream: io.TextIOWrapper) -> io.FileIO | None:
    raw = getattr(stream.buffer, "raw", stream.buffer)
    return raw if type(raw) is io.FileIO else None


def _over(bytes_: io.BufferedWriter | io.FileIO, stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """Text over these bytes, as it was over those of the stream; it holds nothing back that they do not."""
    return io.TextIOWrapper(
        bytes_,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through or isinstance(bytes_, io.FileIO),
    )


class _Bare(io.FileIO):
    """A file without a buffer, of which nobody asks how many bytes it took."""

    def write(self, data: Any, /) -> int:
        """Write all of it, also where the system takes it in parts; raises OSError."""
        rest = memoryview(data).cast("B")
        while rest:
            taken = super().write(rest)
            if taken is None:  # the stream does not block, and takes nothing now
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            rest = rest[taken:]
        return len(data)


class _BareAnswer(_Bare):
    """Standard output as `python -u` has it."""

    def write(self, data: Any, /) -> int:
        """Write all of it; raises AnswerUnwritten."""
        with _told():
            return super().write(data)


# Told above the buffer, never below it: an interrupt between what the system took and what the buffer knows of would
# have those bytes written a second time.
class _BufferedAnswer(io.BufferedWriter):
    """The buffer of standard output; a reader that went away stays a BrokenPipeError."""

    def write(self, data: Any, /) -> int:
        """Take all of it; raises AnswerUnwritten."""
        with _told():
            return super().write(data)

    def flush(self) -> None:
        """Hand on what is held; raises AnswerUnwritten."""
        with _told():
            super().flush()


class _Aside(_Bare):
    """Standard error."""

    def write(self, data: Any, /) -> int:
        """Write what can be written."""
        with suppress(OSError):
            super().write(data)
        return len(data)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        why = exc.strerror or str(exc)
        raise AnswerUnwritten("the answer could not be written", where="standard output", why=why) from exc
