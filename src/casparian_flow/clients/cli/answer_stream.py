"""Standard output that tells its own failures apart from all others."""

from __future__ import annotations

import io
from typing import Any

from casparian_flow.core.errors import AnswerUnwritten


class _Answer(io.FileIO):
    """The file or pipe behind standard output; a reader that went away stays a BrokenPipeError."""

    def write(self, data: Any, /) -> int:
        """Write what the system takes of it; raises AnswerUnwritten."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise AnswerUnwritten("the answer could not be written", where="standard output", why=why) from exc


def told_apart(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, but what the system refuses raises AnswerUnwritten; one that is no plain file stays as it is."""
    buffer = stream.buffer
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:
        return stream
    answer = _Answer(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(answer) if isinstance(buffer, io.BufferedWriter) else answer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
