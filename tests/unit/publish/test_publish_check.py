"""The check of a parser: hints for a reader, refusals for what no parser honestly needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.errors import ParserInvalid
from casparian_flow.publish.check import CheckReport, Grade, check_parser

PARSE = "\ndef parse(path): ...\n"


def check(folder: Path, source: str) -> CheckReport:
    path = folder / "sample.py"
    path.write_text(source + PARSE)
    return check_parser(path)


def test_a_plain_parser_passes_with_its_imports_listed(tmp_path: Path) -> None:
    report = check(tmp_path, "import os.path, csv\nfrom numpy import array\nfrom casparian_flow.sdk import Rows")
    assert (report.error, report.is_refused) == (None, False)
    assert report.findings == ()
    assert report.imports == ("casparian_flow", "csv", "numpy", "os")
    assert report.foreign_imports == ("numpy",)
    assert report.notice == "static hints, not a boundary"


@pytest.mark.parametrize(
    "source",
    [
        "import ctypes",
        "from ctypes.util import find_library",
        "def f():\n    import _posixsubprocess",
        "import base64\nexec(base64.b64decode('cGFzcw=='))",
        "eval(bytes.fromhex('31').decode())",
        "import codecs\nexec(codecs.decode('cnff', 'rot13'))",
        "exec(compile(b'x'.decode(), 'x', 'exec'))",
    ],
)
def test_what_no_parser_needs_is_refused_with_its_line(tmp_path: Path, source: str) -> None:
    report = check(tmp_path, source)
    refused = [finding for finding in report.findings if finding.grade is Grade.REFUSED]
    assert report.is_refused
    assert refused[0].line == source.count("\n") + 1
    assert refused[0].file == "sample.py"


@pytest.mark.parametrize(
    "source", ["import subprocess", "import socket", "import pickle", "eval('1')", f"X = '{'a' * 5000}'"]
)
def test_what_deserves_a_look_is_noted_and_accepted(tmp_path: Path, source: str) -> None:
    report = check(tmp_path, source)
    assert (report.error, report.is_refused) == (None, False)
    assert [finding.grade for finding in report.findings] == [Grade.NOTE]


def test_every_module_of_a_folder_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "cases").mkdir()
    (tmp_path / "parser.py").write_text("import engine" + PARSE)
    (tmp_path / "engine.py").write_text("from inner import deep")
    (tmp_path / "inner" / "deep.py").write_text("import ctypes")
    (tmp_path / "cases" / "make.py").write_text("import ctypes")
    report = check_parser(tmp_path)
    assert [(finding.file, finding.grade) for finding in report.findings] == [("inner/deep.py", Grade.REFUSED)]
    assert report.foreign_imports == ()


@pytest.mark.parametrize("source", ["def parse(", "x = 1\n"])
def test_what_cannot_be_read_is_in_the_report(tmp_path: Path, source: str) -> None:
    path = tmp_path / "sample.py"
    path.write_text(source)
    report = check_parser(path)
    assert isinstance(report.error, ParserInvalid)
    assert report.manifest is None
