"""Lines of text files with their byte ranges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.sdk.encodings import UTF_8, Encoding, detect_encoding, detect_unicode
from casparian_flow.sdk.lines import LineBlock, read_blocks
from casparian_flow.sdk.records import read_records


def _blocks(tmp_path: Path, data: bytes, encoding: Encoding = UTF_8, **limits: int) -> list[LineBlock]:
    file = tmp_path / "input"
    file.write_bytes(data)
    return list(read_blocks(file, encoding, **limits))


def _texts(blocks: list[LineBlock]) -> list[str]:
    return [text for block in blocks for text in block.text.to_pylist()]


def _spans(blocks: list[LineBlock]) -> list[tuple[int, int]]:
    return [(int(start), int(end)) for block in blocks for start, end in zip(block.start, block.end, strict=True)]


def test_line_ends_are_not_part_of_a_line(tmp_path: Path) -> None:
    blocks = _blocks(tmp_path, b"one\r\n\ntwo\rtwo\nlast")
    assert _texts(blocks) == ["one", "", "two\rtwo", "last"]
    assert _spans(blocks) == [(0, 3), (5, 5), (6, 13), (14, 18)]


def test_utf16_lines_have_their_ranges_in_the_file(tmp_path: Path) -> None:
    data = "\ufeffaĊ\r\n😀\n".encode("utf-16-be")
    blocks = _blocks(tmp_path, data, Encoding("utf-16-be", 2))
    assert _texts(blocks) == ["aĊ", "😀"]
    assert [data[start:end].decode("utf-16-be") for start, end in _spans(blocks)] == ["aĊ", "😀"]


def test_a_line_that_cannot_be_decoded_keeps_its_bytes_and_spares_the_others(tmp_path: Path) -> None:
    (block,) = _blocks(tmp_path, b"good\nb\xffd\ngr\xc3\xbcn\n")
    assert block.text.to_pylist() == ["good", "", "grün"]
    assert block.is_broken.tolist() == [False, True, False]
    assert block.raw(1) == b"b\xffd"


def test_half_a_code_unit_at_the_end_is_a_broken_line(tmp_path: Path) -> None:
    blocks = _blocks(tmp_path, "ok\nodd".encode("utf-16-le") + b"x", Encoding("utf-16-le"))
    assert [flag for block in blocks for flag in block.is_broken.tolist()] == [False, True]
    assert _spans(blocks)[-1] == (6, 13)


@pytest.mark.parametrize("ending", [b"\nafter", b"\n", b""])
def test_a_line_that_is_too_long_is_cut_and_the_next_is_found(tmp_path: Path, ending: bytes) -> None:
    blocks = _blocks(tmp_path, b"before\n" + b"x" * 1000 + ending, block_bytes=64, max_line=200)
    cut = [block for block in blocks if block.is_cut]
    assert _spans(cut) == [(7, 1007)]
    assert _texts(blocks) == ["before", "", *(["after"] if ending == b"\nafter" else [])]
    assert [int(number) for block in blocks for number in block.number] == list(range(1, len(_texts(blocks)) + 1))


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(
        st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=12), max_size=20
    ),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    block_bytes=st.integers(2, 40),
)
def test_block_sizes_never_change_the_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], encoding: str, ending: str, block_bytes: int
) -> None:
    data = "".join(line + ending for line in lines).encode(encoding)
    blocks = _blocks(tmp_path_factory.mktemp("lines"), data, Encoding(encoding), block_bytes=block_bytes)
    assert _texts(blocks) == lines
    assert [data[start:end].decode(encoding) for start, end in _spans(blocks)] == lines


@settings(max_examples=40, deadline=None)
@given(
    lines=st.lists(st.sampled_from(["head", " more", "\tmore", "", "other head"]), max_size=20),
    block_bytes=st.integers(2, 60),
)
def test_block_sizes_never_change_the_records(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], block_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("records")
    data = "\n".join(lines).encode()

    def records(size: int) -> list[tuple[int, str]]:
        return [
            (int(number), text)
            for block in read_records(_blocks(folder, data, block_bytes=size))
            for number, text in zip(
                block.block.number[block.first], block.raw_text(np.arange(len(block))).to_pylist(), strict=True
            )
        ]

    assert records(block_bytes) == records(1 << 16)


@pytest.mark.parametrize(
    ("data", "name", "mark"),
    [
        (b"plain", "utf-8", 0),
        ("\ufeffx".encode(), "utf-8", 3),
        ("\ufeffx".encode("utf-16-le"), "utf-16-le", 2),
        ("text without a mark".encode("utf-16-be"), "utf-16-be", 0),
        ("Grüße\n".encode("cp1252"), "cp1252", 0),
        ("Grüße\nschön\n".encode() + b"\xff\n", "utf-8", 0),
    ],
)
def test_encodings_are_told_apart(tmp_path: Path, data: bytes, name: str, mark: int) -> None:
    file = tmp_path / "input"
    file.write_bytes(data)
    found = detect_encoding(file)
    assert (found.name, found.mark) == (name, mark)


def test_one_early_broken_line_does_not_decide_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"\xfc\n" + "ü\n".encode() * 50)
    assert detect_encoding(file).name == "utf-8"
    assert detect_unicode(file.read_bytes()).name == "utf-8"


def test_undefined_bytes_of_windows_1252_are_control_characters(tmp_path: Path) -> None:
    (block,) = _blocks(tmp_path, b"\x80\x81\x93", Encoding("cp1252"))
    assert block.text.to_pylist() == ["€\x81“"]
