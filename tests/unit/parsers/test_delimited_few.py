"""Small blocks of delimited text: the reader of a few records says what the reader of blocks and the exact one say."""

from __future__ import annotations

from pathlib import Path

import pytest

from delimited_support import read_delimited

HEAD = b"id,name,note\r\n"
ROWS = b"".join(b'%d,"n ""%d""",%s\r\n' % (number, number, b"" if number % 3 else b'"a, b"') for number in range(40))


@pytest.mark.parametrize(
    "more",
    [
        b"",
        b"40,x,y",
        b"40,x\r\n41,y,z\r\n",
        b'40,"over\r\ntwo lines",z\r\n',
        b"40,\x00,z\r\n",
        b"40,\xff,z\r\n",
        b"\r\n40,,\r\n",
    ],
)
def test_small_files_read_the_same_by_each_reader(more: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "few.csv"
    file.write_bytes(HEAD + ROWS + more)
    import delimited_reader

    few, exact = read_delimited(file), read_delimited(file, vectorised=False)
    monkeypatch.setattr(delimited_reader, "LEAST_BLOCK", 64)
    blocks = read_delimited(file)
    assert few.tables == exact.tables == blocks.tables
    assert few.rejected == exact.rejected == blocks.rejected
    assert few.verdicts == exact.verdicts == blocks.verdicts
    assert len(few.rows) + len(few.rejected) >= 40


def test_which_marks_of_several_characters_are_tried_depends_on_the_text_alone() -> None:
    from delimited_sniff import _delimiters

    assert _delimiters(["a<>b||c~~d%%e&&f"] * 9)[-4:] == ["<>", "||", "~~", "%%"]
