"""Laws of the delimited parser on text with any kind of damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from damaged_texts import DAMAGE, ENCODINGS, damaged_texts
from delimited_support import Outcome, read_delimited

LAW = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_every_byte_once(outcome: Outcome, size: int) -> None:
    position = 0
    for start, end, what in sorted(outcome.spans):
        assert start == position, f"{what} starts at {start}, expected {position}"
        position = end
    assert position == size


@LAW
@given(text=damaged_texts(), encoding=ENCODINGS, junk=st.binary(max_size=3), where=st.integers(0, 10_000))
def test_both_readers_agree_and_account_for_every_byte(
    tmp_path: Path, text: str, encoding: str, junk: bytes, where: int
) -> None:
    data = text.encode(encoding, "replace")
    at = where % (len(data) + 1)
    data = data[:at] + junk + data[at:]
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    fast, exact = read_delimited(path), read_delimited(path, vectorised=False)
    assert fast.tables == exact.tables
    assert fast.rejected == exact.rejected
    assert_every_byte_once(fast, len(data))
    assert_every_byte_once(exact, len(data))


@LAW
@given(text=damaged_texts(), words=st.sampled_from(["a", "1,a b", "text,23,#c"]))
def test_both_readers_agree_on_what_is_null(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    fast, exact = read_delimited(path, null=words), read_delimited(path, vectorised=False, null=words)
    assert fast.tables == exact.tables
    assert fast.rejected == exact.rejected


@pytest.mark.slow
@LAW
@given(text=damaged_texts(), repeat=st.integers(1, 40), damage=DAMAGE, where=st.integers(0, 10_000))
def test_both_readers_agree_on_longer_files(tmp_path: Path, text: str, repeat: int, damage: str, where: int) -> None:
    text = (text.rstrip("\r\n") + "\n") * repeat
    at = where % (len(text) + 1)
    data = (text[:at] + damage + text[at:]).encode()
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    fast, exact = read_delimited(path), read_delimited(path, vectorised=False)
    assert fast.tables == exact.tables
    assert fast.rejected == exact.rejected
    assert_every_byte_once(fast, len(data))


@LAW
@given(text=damaged_texts(), encoding=ENCODINGS)
def test_every_row_lies_where_it_says(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding, "replace"))
    outcome = read_delimited(path)
    for table in outcome.tables.values():
        assert all(start < end for _, start, end in table.places)
        ordinals = [row for row, _, _ in table.places]
        assert ordinals == sorted(set(ordinals))


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_results_do_not_depend_on_how_the_file_is_cut(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import delimited_reader
    import delimited_stream

    text = 'a,b,c\n1,"x\ny",3\n4,5\n"6,7,8\n9,"q""r",\u20ac\n\n# note\n' * 60
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode("utf-16"))
    whole = read_delimited(path)
    monkeypatch.setattr(delimited_stream, "CHUNK", chunk)
    monkeypatch.setattr(delimited_reader, "BLOCK", 8 * chunk)
    monkeypatch.setattr(delimited_reader, "LEAST_BLOCK", chunk)
    cut = read_delimited(path)
    assert cut.tables == whole.tables
    assert cut.rejected == whole.rejected
