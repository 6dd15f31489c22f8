"""Sink URIs: `scheme://` and a path as on a command line, then perhaps `?table=T`.

parquet://out                  the folder out under the working directory
parquet:///data/out            an absolute folder
csv://out                      a folder too
sqlite://data.db/events        as sqlite://data.db?table=events
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.errors import SinkUnavailable, UsageError
from casparian_flow.core.text import safe_text
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.folder_format import Format
from casparian_flow.sinks.layout import checked_table
from casparian_flow.sinks.parquet_format import ParquetFormat

FILE_SCHEMES = ("parquet", "csv", "duckdb", "sqlite")
SERVER_SCHEMES = ("postgres", "postgresql", "mssql")

_DATABASES = ("duckdb", "sqlite")
_DATABASE_FILE = re.compile(r"\.(?:db|sqlite|sqlite3|duckdb)", re.IGNORECASE)
_CREDENTIALS = re.compile(r"[^/?]*:[^/?]*@")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SinkUri:
    """A parsed URI of a scheme that names files. `table` overrides the outputs' own names."""

    scheme: str
    path: str
    table: str | None = None

    def __str__(self) -> str:
        return self.target + (f"?table={self.table}" if self.table else "")

    @property
    def target(self) -> str:
        """The URI of the place alone: what one log per table belongs to."""
        return f"{self.scheme}://{self.path}"

    def absolute(self, cwd: str) -> SinkUri:
        """The same place for whoever has another working directory: two spellings of it become the same URI.

        Links are not followed.
        """
        path = os.path.normpath(os.path.join(cwd, self.path))  # noqa: PTH118 Path keeps `..`
        return SinkUri(self.scheme, "/" + path.lstrip("/") if path.startswith("//") else path, self.table)


def parse_uri(text: str) -> SinkUri:
    """The parts of a sink URI.

    Raises UsageError for what is not one, and SinkUnavailable for servers. No message repeats a credential.
    """
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator:
        shown = safe_text(text.partition("?")[0].rpartition("@")[2])
        fix = f"{_scheme_by_name(shown)}://{shown}"
        raise UsageError(f"{shown!r} is not a sink URI", why="no scheme:// at its start", fix=fix)
    if _CREDENTIALS.match(rest):
        raise UsageError(
            f"a {safe_text(scheme)}:// URI may not contain a password", fix="leave out what stands before the @"
        )
    if scheme in SERVER_SCHEMES:
        raise SinkUnavailable(
            f"{scheme}:// is not available in this version",
            why="database servers come with the scale work",
            fix="write to parquet:// and load the files from there",
        )
    if scheme not in FILE_SCHEMES:
        close = difflib.get_close_matches(scheme, FILE_SCHEMES, n=1)
        raise UsageError(
            f"{safe_text(scheme)!r} is not a kind of sink",
            why="known are " + " ".join(f"{known}://" for known in FILE_SCHEMES),
            fix=f"did you mean {close[0]}:// ?" if close else "casparian help run",
        )
    if _UNPRINTABLE.search(rest):
        raise UsageError("a sink URI may only contain printable UTF-8 text", where=safe_text(rest))
    path, table = _table_of(scheme, *_query_of(rest))
    if not path:
        raise UsageError(f"{scheme}:// names no place", fix=f"{scheme}://out")
    if path == "~" or path.startswith("~/"):
        raise UsageError("~ has no meaning inside a URI", where=path, fix=f"{scheme}://$HOME{path[1:]}")
    return SinkUri(scheme, path, table if table is None else checked_table(table))


def open_sink(uri: str) -> Sink:
    """The sink of an absolute URI, not tried yet. Raises UsageError or SinkUnavailable."""
    parsed = parse_uri(uri)
    if not os.path.isabs(parsed.path):  # noqa: PTH117 said of text
        raise UsageError(f"{parsed} is not absolute", fix=f"{parsed.scheme}:///folder/{parsed.path}")
    if parsed.scheme in _DATABASES:
        from casparian_flow.sinks.database_open import open_database  # noqa: PLC0415 - most runs write folders

        return open_database(parsed.target, Path(parsed.path), parsed.scheme)
    return FolderSink(parsed.target, Path(parsed.path), _format(parsed.scheme))


def _format(scheme: str) -> Format:
    if scheme == "csv":
        from casparian_flow.sinks.csv_format import CsvFormat  # noqa: PLC0415 - most folders are of Parquet

        return CsvFormat()
    return ParquetFormat()


def _scheme_by_name(path: str) -> str:
    """The kind of sink that a path without a scheme most likely means: by the ending of its name."""
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122 said of text
    if _is_database(path):
        return "duckdb" if ending == ".duckdb" else "sqlite"
    return "csv" if ending == ".csv" else "parquet"


def _query_of(rest: str) -> tuple[str, str | None]:
    path, _, query = rest.partition("?")
    if not query:
        return path, None
    key, _, value = query.partition("=")
    if key != "table" or not value or "&" in value:
        raise UsageError("only ?table=NAME may follow the path of a sink URI", where=safe_text(path))
    return path, value


def _table_of(scheme: str, path: str, table: str | None) -> tuple[str, str | None]:
    """Splits `data.db/events`; any other path stays as it is."""
    file, _, last = path.rpartition("/")
    if scheme not in _DATABASES or not last or not _is_database(file) or _is_database(last):
        return path, table
    if table not in (None, last):
        raise UsageError(f"the URI names two tables, {safe_text(last)!r} and {safe_text(table or '')!r}")
    return file, last


def _is_database(path: str) -> bool:
    return _DATABASE_FILE.fullmatch(os.path.splitext(path)[1]) is not None  # noqa: PTH122 said of text
