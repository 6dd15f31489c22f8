"""A parser that reads spans yields of them exactly what it yields when it reads the whole file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.publish.manifest import read_manifest
from casparian_flow.sdk.testing import case_input, case_options, reread_differences

PARSERS = Path(__file__).parents[3] / "src" / "casparian_flow" / "parsers"
BY_SPANS = sorted(
    file.parent for file in PARSERS.glob("*/*/parser.py") if read_manifest(file.parent).rereads == "spans"
)
LINES = (
    b'{"a":1,"b":"x"}',
    b'{"a":null}',
    b'{"a": "1,0", "c": [1, {"d": 2}], "a": 3}',
    b'{"": 1, "_cf_x": 2}',
    b'  {"b":"\xc3\xa9"} ',
    b"{broken",
    b"\xff\xfe\x80",
    b"",
    b"   ",
    b"[1, 2]",
    b"1e400",
    b'10.0.0.7 - ann [02/Mar/2026:10:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 5 "-" "curl"',
    b'10.0.0.7 - - [02/Mar/2026:10:00:00 +0000] "\xe9" 400 -',
    b"[Mon Mar 02 10:00:00.123456 2026] [core:error] [pid 5:tid 6] [client 10.0.0.7:80] AH00126: bad",
    b"2026/03/02 10:00:00 [error] 7#8: *9 open() failed, client: 10.0.0.7, server: a",
    b"\tand goes on",
    b"  and on",
)
ENDS = (b"\n", b"\r\n", b"\r\r\n")


def name_of(parser: Path) -> str:
    return parser.name


@pytest.mark.parametrize("parser", BY_SPANS, ids=name_of)
def test_spans_of_its_own_cases_read_as_in_the_whole_file(parser: Path) -> None:
    cases = [file.parent for file in parser.glob("cases/*/expected.jsonl")]
    assert cases
    for case in cases:
        assert reread_differences(parser, case_input(case), case_options(case), every=2) == []


@pytest.mark.slow
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"utf-16-le", b"utf-16-be"])
@pytest.mark.parametrize("parser", BY_SPANS, ids=name_of)
def test_spans_of_damaged_text_read_as_in_the_whole_file(parser: Path, mark: bytes, tmp_path: Path) -> None:
    @settings(max_examples=12, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS)), max_size=12),
        st.booleans(),
        st.integers(1, 3),
    )
    def hold(lines: list[tuple[bytes, bytes]], is_cut: bool, every: int) -> None:
        data = b"".join(line + end for line, end in lines)
        wide = mark.decode() if mark.startswith(b"utf") else None
        data = ("\ufeff" + data.decode("latin-1")).encode(wide) if wide else mark + data
        file = tmp_path / "input.txt"
        file.write_bytes(data[:-1] if is_cut else data)
        assert reread_differences(parser, file, every=every) == []

    hold()


def test_a_parser_that_numbers_by_what_it_reads_now_is_told_apart(tmp_path: Path) -> None:
    parser = tmp_path / "parser.py"
    parser.write_text(
        "from casparian_flow.sdk import Rows\n"
        "def parse(path, context):\n"
        "    lines = path.read_bytes().splitlines(keepends=True)\n"
        "    spans = context.spans or [(at + 1, 2 * at, 2 * at + 1) for at in range(len(lines))]\n"
        "    for at, (_, start, end) in enumerate(spans):\n"
        "        yield Rows('x', [{'a': lines[at].decode()[0]}], [at + 1], [start], [end])\n"
    )
    file = tmp_path / "input.txt"
    file.write_text("a\nb\nc\n")
    assert reread_differences(parser, file) == []
    assert len(reread_differences(parser, file, every=2)) == 2
