"""One delimited file from its first byte to its last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from delimited_damage import skip_line
from delimited_dialect import Dialect
from delimited_encoding import UnknownEncoding, detect_encoding
from delimited_layout import Layout, Line, lay_out
from delimited_ledger import Ledger
from delimited_options import Options
from delimited_reader import RAW, Item, TableReader
from delimited_records import Grammar
from delimited_sniff import SAMPLE, Sniffed, sniff
from delimited_stream import MAX_RECORD, Stream
from delimited_tables import first_table

from casparian_flow.sdk import PermanentError, Rejected, Verdict

HEAD = 256 << 10
FEW_LINES = 20
MOST_SAMPLE = 4 << 20
MOST_TITLES = 8
SHOWN_TITLES = 20


def read_file(
    path: Path, options: Mapping[str, Any], *, vectorised: bool = True, ledger: Ledger | None = None
) -> Iterator[Item]:
    """Verdicts, rows and rejections in source order, at last where every byte went."""
    with path.open("rb") as file:
        yield from DelimitedFile(file, Options.of(options), ledger or Ledger(), vectorised).read()


class DelimitedFile:
    """Detection and reading of one open file."""

    def __init__(self, file: BinaryIO, options: Options, ledger: Ledger, vectorised: bool) -> None:
        self._options = options
        self._ledger = ledger
        self._vectorised = vectorised
        try:
            self._encoding = detect_encoding(file, options.encoding)
        except UnknownEncoding as exc:
            raise PermanentError(str(exc)) from exc
        self._stream = Stream(file, self._encoding)

    def read(self) -> Iterator[Item]:
        """Everything in the file."""
        encoding, stream = self._encoding, self._stream
        yield Verdict("encoding", encoding.codec, encoding.confidence, encoding.runner_up)
        self._ledger.mark("bom", 0, encoding.bom)
        self._skip_blank()
        tables = 0
        sniffed: Sniffed | None = None
        while stream.has_more(HEAD):
            sample = self._sample()
            if sniffed is None and len(sample) >= MAX_RECORD and not _lines(sample):
                yield self._pass_over()
                continue
            if sniffed is None:
                sniffed = self._sniff(sample)
            tables += 1
            output = "" if tables == 1 else f"t{tables}"
            layout = self._lay_out(sample, sniffed, tables == 1)
            yield from self._describe(layout, sniffed, output, sample)
            yield from self._above(layout, output)
            reader = TableReader(
                stream,
                layout,
                output,
                self._ledger,
                self._options.fixed,
                may_resync=self._options.resync,
                nulls=self._options.nulls,
                vectorised=self._vectorised,
            )
            yield from reader.read()
            sniffed = reader.next
        yield Verdict("tables", str(tables))
        yield Verdict("bytes", str(self._ledger))

    def _skip_blank(self) -> None:
        """Past the line ends at the very top, which are all there is in a file without text."""
        stream = self._stream
        while stream.has_more(HEAD):
            ahead = stream.buf[stream.pos :]
            blank = len(ahead) - len(ahead.lstrip(b"\r\n"))
            self._ledger.mark("blank", stream.origin(stream.pos), stream.origin(stream.pos + blank))
            stream.pos += blank
            if blank < len(ahead):
                return

    def _sample(self) -> bytes:
        """The text ahead, with at least a few lines where lines are very long, and one if it can be held at all."""
        stream = self._stream
        while not stream.eof:
            have, lines = len(stream.buf) - stream.pos, _lines(stream.buf)
            if lines >= FEW_LINES or have >= (MOST_SAMPLE if lines else MAX_RECORD):
                break
            stream.fill(2 * have)
        return stream.buf[stream.pos :]

    def _pass_over(self) -> Rejected:
        """A line too long to hold above the table: how that is to be read is told by what follows."""
        stream = self._stream
        start = stream.origin(stream.pos)
        skip_line(stream, Grammar.of(Dialect(None, None, None)))
        end = stream.origin(stream.pos)
        self._ledger.mark("rejected", start, end)
        raw = stream.raw(start, min(end, start + RAW))
        return Rejected("", "cf.csv.oversize", f"a line of more than {MAX_RECORD >> 20} MiB", start, end, raw=raw)

    def _sniff(self, sample: bytes) -> Sniffed:
        small = sample[:SAMPLE]
        if _lines(small) < FEW_LINES:
            small = sample
        at_end = self._stream.eof and len(small) == len(sample)
        whole = sniff(small, at_end, self._options.fixed)
        return whole if self._options.skip is not None else first_table(small, at_end, whole, self._options.fixed)

    def _lay_out(self, sample: bytes, sniffed: Sniffed, is_first: bool) -> Layout:
        header, skip = (self._options.header, self._options.skip) if is_first else (None, None)
        return lay_out(sample, self._stream.eof, sniffed.dialect, sniffed.arity, header, skip)

    def _describe(self, layout: Layout, sniffed: Sniffed, output: str, sample: bytes) -> Iterator[Verdict]:
        """The verdicts of one table; those of further tables carry its output in their names."""
        dialect = layout.dialect
        at = f"{output}." if output else ""
        if not output:
            yield Verdict("newline", _newline(sample))
        delimiter = dialect.delimiter or "none"
        yield Verdict(f"{at}delimiter", delimiter, sniffed.delimiter_confidence, sniffed.delimiter_runner_up)
        yield Verdict(f"{at}quote", dialect.quote or "none", sniffed.quote_confidence, sniffed.quote_runner_up)
        yield Verdict(f"{at}escape", dialect.escape or "double" if dialect.quote else dialect.escape or "none")
        rows = str(layout.header_rows) + (f" ({layout.note})" if layout.note else "")
        yield Verdict(f"{at}header", rows, layout.header_confidence, "0" if layout.header_rows else "1")
        if layout.trailing:
            yield Verdict(f"{at}trailing_delimiter", "true")

    def _above(self, layout: Layout, output: str) -> Iterator[Item]:
        """What stands before the first row: header, preamble, blank lines."""
        stream, ledger = self._stream, self._ledger
        base = stream.pos
        for line in layout.header:
            ledger.mark("header", stream.origin(base + line.start), stream.origin(base + line.end))
        head = layout.header[0].start if layout.header else 0
        wide = [line for line in layout.skipped if line.start < head and sum(map(bool, line.fields or ())) > 1]
        titles = 0
        for line in layout.skipped:
            start, end = stream.origin(base + line.start), stream.origin(base + line.end)
            if line.blank:
                ledger.mark("blank", start, end)
            elif (fault := _fault(line, layout, len(wide) <= MOST_TITLES)) is not None:
                ledger.mark("rejected", start, end)
                yield Rejected(output, *fault, start, end, raw=stream.raw(start, min(end, start + RAW)))
            else:
                ledger.mark("preamble", start, end)
                titles += 1
                if titles <= SHOWN_TITLES:
                    text = stream.buf[base + line.start : base + line.end].decode("utf-8", "replace")
                    yield Verdict("preamble", text.rstrip("\r\n")[:500])
        stream.pos = base + layout.start


def _fault(line: Line, layout: Layout, may_be_titles: bool) -> tuple[str, str] | None:
    """Why a line above the first row is a bad row; None if it is a title, which needs a header to stand above."""
    if line.fields is None:
        return "cf.csv.quote", "a quote that does not close at the end of a field"
    is_above = may_be_titles and bool(layout.header) and line.start < layout.header[0].start
    if is_above or sum(map(bool, line.fields)) < 2 or (line.fields[0] or b"").startswith(b"#"):
        return None
    return "cf.csv.arity", f"{len(line.fields)} fields where the table has {layout.arity}"


def _lines(sample: bytes) -> int:
    return max(sample.count(b"\n"), sample.count(b"\r"))


def _newline(sample: bytes) -> str:
    crlf = sample.count(b"\r\n")
    counts = {"crlf": crlf, "lf": sample.count(b"\n") - crlf, "cr": sample.count(b"\r") - crlf}
    kinds = [name for name, count in counts.items() if count]
    return kinds[0] if len(kinds) == 1 else "mixed" if kinds else "none"
