"""Finding the next good record after damage, without holding what is skipped."""

from __future__ import annotations

from delimited_records import Grammar, NeedMore
from delimited_stream import MAX_RECORD, Stream

BLOCK = 1 << 20
SAME = 5
"""So many lines with the same other number of fields are good records too, of another table."""


def is_confined(line: bytes, grammar: Grammar, width: int) -> bool:
    """Whether a damaged line is a record but for text beside its quotes, which all close: the next line is another."""
    if grammar.quote is None or grammar.delimiter is None or grammar.escape is not None:
        return False
    return line.count(grammar.quote) % 2 == 0 and line.count(grammar.delimiter) == width - 1


def resync(stream: Stream, grammar: Grammar, width: int) -> None:
    """Move the stream from the end of a damaged line to the next line that is a record, or to the end."""
    while stream.has_more(BLOCK):
        found, stream.pos = _scan(stream, grammar, width)
        if found:
            return


def skip_line(stream: Stream, grammar: Grammar) -> None:
    """Move the stream to the end of a line that is too long to hold."""
    while True:
        found = grammar.line_end.search(stream.buf, stream.pos)
        if found is not None and (stream.eof or found.end() < len(stream.buf)):
            stream.pos = found.end()
            return
        stream.pos = len(stream.buf)
        if not stream.fill(BLOCK):
            return


def _scan(stream: Stream, grammar: Grammar, width: int) -> tuple[bool, int]:
    """Where the next record starts in the window; if there is none, where the last whole line ends."""
    pos = run_start = stream.pos
    run, last = 0, 0
    try:
        while pos < len(stream.buf):
            text_end, end = grammar.line(stream.buf, pos, stream.eof)
            count = grammar.count(stream.buf[pos:text_end])
            if count == width or (count == 0 and _begins_record(stream, grammar, pos, width)):
                return True, pos
            if count != last or count < 2:
                run, run_start, last = 0, pos, count
            run += 1
            if run >= SAME and count > 1:
                return True, run_start
            pos = end
    except NeedMore:
        if pos == stream.pos:
            return False, _grow(stream)
    return False, pos


def _begins_record(stream: Stream, grammar: Grammar, pos: int, width: int) -> bool:
    """Whether a record of several lines starts here, as one more than the line itself shows."""
    try:
        fields = grammar.read(stream.buf, pos, stream.eof, width).fields
    except NeedMore:
        return False
    return width > 1 and fields is not None and len(fields) == width


def _grow(stream: Stream) -> int:
    """More of a line that does not end in the window; a line too long to hold is passed over."""
    have = len(stream.buf) - stream.pos
    if have >= MAX_RECORD:
        return len(stream.buf)
    stream.fill(2 * have)
    return stream.pos
