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


@pytest.mark.parametrize("delimiter", [",", ";", ":", " ", None, '"', ',"', '",'])
@pytest.mark.parametrize(
    "text",
    [
        b'"a","b"\n1,"x"\n2,"y"',
        b'"a","say ""b"""\n"""1""",""\n"","""" ',
        b'"a","b\nc","d"\n"e","f"',
        b'"a","b"c","d"\n"e" ,"f"',
        b'a"b,"c","d"\n"e,f","g"\n"h"',
        b'""\n"a"\n""""',
        b'"a","b"\n\n"c","d"',
        b',"a"\n"",\n"b",,',
    ],
)
def test_lines_read_together_are_the_records_that_each_is_by_itself(text: bytes, delimiter: str | None) -> None:
    from delimited_dialect import Dialect
    from delimited_records import Grammar

    grammar, lines = Grammar(Dialect(delimiter), True, ()), text.split(b"\n")
    held, widths = grammar.records(lines)
    for line, found, width in zip(lines, held, widths, strict=True):
        fields = grammar.fields(line) if line else None
        is_blank = fields in (None, [None], [b""])
        assert width == (0 if is_blank else len(fields or ()))
        assert (grammar.fields(found) if isinstance(found, bytes) and line else found or fields) == fields
        if found is None:
            end, split = grammar.tokenise(line + b"\n" + text, 0, True)
            assert (end, split) == (len(line) + 1, None)


def test_a_dialect_that_damages_lines_is_rated_without_the_exact_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    from delimited_records import Grammar
    from delimited_sniff import sniff

    data = b'"id","at","said"\n' + b'1,10:20,"said ""no"""\n2,10:25,"I said ""yes"""\n' * 12
    known = sniff(data, True, {})
    monkeypatch.setattr(Grammar, "tokenise", lambda *_: pytest.fail("read exactly"))
    assert sniff(data, True, {}) == known
    assert known.dialect.delimiter == ","
