"""Standard output that tells its own failures apart from all others."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from casparian_flow.core.errors import AnswerUnwritten


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


class _BareAnswer(io.FileIO):
    """Standard output without a buffer, as `python -u` has it; whoever writes to it looks at no number of bytes."""

    def write(self, data: Any, /) -> int:
        """Write all of it, also where the system takes it in parts; raises AnswerUnwritten."""
        rest = memoryview(data).cast("B")
        with _told():
            while rest:
                taken = super().write(rest)
                if taken is None:  # the stream does not block, and takes nothing now
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                rest = rest[taken:]
        return len(data)


def told_apart(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, but what the system refuses raises AnswerUnwritten; one that is no plain file stays as it is."""
    buffer = stream.buffer
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:
        return stream
    is_buffered = isinstance(buffer, io.BufferedWriter)
    answer: io.BufferedWriter | io.FileIO = (
        _BufferedAnswer(io.FileIO(raw.fileno(), "w", closefd=False))
        if is_buffered
        else _BareAnswer(raw.fileno(), "w", closefd=False)
    )
    return io.TextIOWrapper(
        answer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        why = exc.strerror or str(exc)
        raise AnswerUnwritten("the answer could not be written", where="standard output", why=why) from exc
