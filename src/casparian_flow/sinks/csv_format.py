"""CSV as the format of a folder's data files: text for spreadsheets whose schema lies beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.sinks.csv_blocks import whole_records
from casparian_flow.sinks.csv_text import header_line, records
from casparian_flow.sinks.csv_values import values_of
from casparian_flow.sinks.hashed_file import HashedFile
from casparian_flow.sinks.schema_file import keep_schema, read_schema

_README = """\
The files are CSV as in RFC 4180: UTF-8, comma, double quotes, CR LF, one header line; a quoted cell may hold line ends
and any other character. An empty cell without quotes is null, "" is the empty text. schema.json beside the files lists
the columns with their types. Values are written like this, so that nothing is lost:

  boolean      true false             date         2024-02-29
  int64        12                     time         23:59:59.5
  float64      1.5 1e+20 nan -inf     timestamp    2024-02-29 23:59:59.5, in UTC with Z where the type has a zone
  decimal      all its digits         duration     a count of nanoseconds
  string       the text, quoted       binary       two hexadecimal digits per byte
  json         the text, quoted       list, struct JSON
  A date beyond the years 0 to 9999 or a time beyond the day is a bare count of days, or of the type's unit.

No value is altered: a text that starts with = + - or @ is written as it is, and a spreadsheet that opens the file may
run it as a formula. Import such columns as text."""


class CsvFormat:
    """Text that any program reads, and that comes back with its types."""

    suffix = ".csv"
    is_parquet = False
    rows_at_once = 16_384
    bytes_at_once = 8 << 20
    part_bytes = 512 << 20
    how_to_read = _README

    def create(self, path: Path, schema: pa.Schema, first: pa.Table) -> CsvPart:
        """A new file, with its schema beside it."""
        return CsvPart(path, schema)

    def open(self, path: Path, digest: str) -> AbstractContextManager[CsvData]:
        """A file with the columns that its folder's schema tells."""
        return nullcontext(CsvData(path, digest))


class CsvData:
    """One CSV file while it is read."""

    def __init__(self, path: Path, digest: str) -> None:
        self.schema = read_schema(path.parent)
        self._path = path
        self._digest = digest

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """These columns; what was altered is noticed at the end of the file at the latest."""
        wanted = [self.schema.get_field_index(name) for name in columns]
        result = pa.schema([self.schema.field(at) for at in wanted])
        for block in whole_records(self._path, header_line(self.schema), self._digest):
            try:
                for texts in texts_of(block, len(self.schema.names), wanted).to_batches():
                    values = [
                        values_of(column, field.type) for column, field in zip(texts.columns, result, strict=True)
                    ]
                    yield pa.RecordBatch.from_arrays(values, schema=result)
            except (pa.ArrowException, ValueError) as exc:
                raise VerificationFailed("a data file cannot be read", where=str(self._path), why=str(exc)) from exc


class CsvPart:
    """One CSV file while it is written."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._folder = path.parent
        self._schema = schema
        self._file = HashedFile(path)
        self._rows = 0
        try:
            keep_schema(self._folder, schema)
            self._file.write(header_line(schema))
        except BaseException:
            self._file.close()
            path.unlink()
            raise

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.size

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        for batch in rows.to_batches():
            self._file.write(records(batch))
            self._rows += batch.num_rows

    def finish(self) -> tuple[int, int, str]:
        """Complete and flush the file: its bytes, rows and digest. Its name is durable once the folder is synced."""
        keep_schema(self._folder, self._schema)
        return self._file.size, self._rows, self._file.finish()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._file.close()


def texts_of(block: bytes, count: int, wanted: Sequence[int]) -> pa.Table:
    """The wanted cells of whole records as text, by their position among `count`."""
    names = [str(at) for at in range(count)]
    return pa_csv.read_csv(
        pa.BufferReader(block),
        pa_csv.ReadOptions(column_names=names, block_size=len(block) + 1, use_threads=False),
        pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=[names[at] for at in wanted],
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
