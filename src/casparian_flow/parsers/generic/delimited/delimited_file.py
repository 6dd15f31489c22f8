"""One delimited file from its first byte to its last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from casparian_flow.sdk import Rejected, Verdict
from delimited_dialect import Dialect
from delimited_encoding import Encoding, detect_encoding
from delimited_layout import Layout, Line, lay_out
from delimited_ledger import Ledger
from delimited_reader import BLOCK, MAX_RECORD, RAW, Item, TableReader
from delimited_sniff import SAMPLE, Sniffed, sniff
from delimited_stream import Stream

HEAD = 256 << 10


def read_file(path: Path, options: Mapping[str, Any], *, vectorised: bool = True, ledger: Ledger | None = None) -> Iterator[Item]:
    """Verdicts first, then rows and rejections in source order, then where every byte went."""
    with path.open("rb") as file:
        yield from DelimitedFile(file, options, ledger or Ledger(), vectorised).read()


class DelimitedFile:
    """Detection and reading of one open file."""

    def __init__(self, file: BinaryIO, options: Mapping[str, Any], ledger: Ledger, vectorised: bool) -> None:
        self._options = options
        self._ledger = ledger
        self._vectorised = vectorised
        self._encoding = detect_encoding(file, options.get("encoding"))
        self._stream = Stream(file, self._encoding)

    def read(self) -> Iterator[Item]:
        """Everything."""
        encoding, stream = self._encoding, self._stream
        yield Verdict("encoding", encoding.codec, encoding.confidence, encoding.runner_up)
        if encoding.bom:
            self._ledger.mark("bom", 0, encoding.bom)
        stream.fill(HEAD)
        if not stream.buf.strip(b"\r\n"):
            while stream.pos < len(stream.buf):
                self._ledger.mark("blank", stream.origin(stream.pos), stream.origin(len(stream.buf)))
                stream.pos = len(stream.buf)
                stream.fill(BLOCK)
            yield Verdict("tables", "0")
            yield Verdict("bytes", str(self._ledger))
            return
        layout, sniffed = self._plan()
        yield from self._describe(layout, sniffed)
        yield from self._above(layout, "")
        reader = TableReader(
            stream, layout, "", self._ledger, resync=self._options.get("resync") is not False, vectorised=self._vectorised
        )
        yield from reader.read()
        yield Verdict("tables", "1")
        yield Verdict("bytes", str(self._ledger))

    def _plan(self) -> tuple[Layout, Sniffed]:
        stream = self._stream
        while not stream.eof and stream.buf.count(b"\n", stream.pos) < 8 and stream.buf.count(b"\r", stream.pos) < 8:
            if len(stream.buf) - stream.pos >= MAX_RECORD:
                break
            stream.fill(2 * (len(stream.buf) - stream.pos))
        sample = stream.buf[stream.pos :]
        small = sample[:SAMPLE]
        if small.count(b"\n") < 20 and small.count(b"\r") < 20:
            small = sample
        fixed = {name: self._options[name] or None for name in ("delimiter", "quote", "escape") if self._options.get(name) is not None}
        sniffed = sniff(small, stream.eof and len(small) == len(sample), fixed)
        layout = lay_out(
            sample, stream.eof, sniffed.dialect, sniffed.arity, self._options.get("header"), self._options.get("skip")
        )
        return layout, sniffed

    def _describe(self, layout: Layout, sniffed: Sniffed) -> Iterator[Verdict]:
        dialect = layout.dialect
        yield Verdict("newline", _newline(self._stream.buf))
        yield Verdict("delimiter", dialect.delimiter or "none", sniffed.delimiter_confidence, sniffed.delimiter_runner_up)
        yield Verdict("quote", dialect.quote or "none", sniffed.quote_confidence, sniffed.quote_runner_up)
        yield Verdict("escape", dialect.escape or "double")
        yield Verdict("header", f"{layout.header_rows} rows {layout.note}".strip(), layout.header_confidence)

    def _above(self, layout: Layout, output: str) -> Iterator[Item]:
        """What stands before the first row: header, preamble and blank lines."""
        stream = self._stream
        base = stream.pos
        for line in layout.header:
            self._ledger.mark("header", stream.origin(base + line.start), stream.origin(base + line.end))
        for line in layout.skipped:
            start, end = stream.origin(base + line.start), stream.origin(base + line.end)
            if line.blank:
                self._ledger.mark("blank", start, end)
                continue
            self._ledger.mark("preamble", start, end)
            text = stream.buf[base + line.start : base + line.end].decode("utf-8", "replace")
            yield Verdict("preamble", text.rstrip("\r\n")[:500])
        stream.pos = base + layout.start


def _newline(sample: bytes) -> str:
    crlf = sample.count(b"\r\n")
    lf = sample.count(b"\n") - crlf
    cr = sample.count(b"\r") - crlf
    kinds = [name for name, count in (("crlf", crlf), ("lf", lf), ("cr", cr)) if count]
    return kinds[0] if len(kinds) == 1 else "mixed" if kinds else "none"
