"""Archives are listed as they are, and damaged ones as far as they go."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.errors import UsageError
from casparian_flow.lab.archive import list_archive
from casparian_flow.lab.zip_directory import zip_members


def a_zip(*names: str, prefix: bytes = b"") -> bytes:
    buffer = io.BytesIO(prefix)
    with zipfile.ZipFile(buffer, "a" if prefix else "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, f"content of {name}" * 3)
    return buffer.getvalue()


def test_the_members_are_those_that_the_library_lists() -> None:
    data = a_zip("a.txt", "b/ö.txt", "b/")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        expected = [(each.filename, each.file_size, each.compress_size) for each in archive.infolist()]
    found = [(each.name.decode(), each.size, each.packed) for each in zip_members(io.BytesIO(data))]
    assert found == expected


def test_bytes_before_the_archive_do_not_hide_it(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(a_zip("a.txt", "b.txt", prefix=b"PK\x03\x04 something else"))
    assert [each.name for each in list_archive(tmp_path / "a.zip", 10).members] == ["a.txt", "b.txt"]


def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(a_zip(*map(str, range(20))))
    found = list_archive(tmp_path / "a.zip", 5)
    assert len(found.members) == 5 and "first 5" in found.stopped
    assert list_archive(tmp_path / "a.zip", 20).stopped == ""


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c rest")
    with pytest.raises(UsageError, match="no archive that can be listed"):
        list_archive(tmp_path / "a.7z", 5)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=4), st.integers(0, 400))
def test_a_damaged_zip_is_listed_or_its_damage_is_told(at: int, patch: bytes, keep: int) -> None:
    data = bytearray(a_zip("a.txt", "b.txt"))
    data[at : at + len(patch)] = patch
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.zip"
        file.write_bytes(b"PK\x03\x04" + bytes(data[4 : max(keep, 4)]))
        found = list_archive(file, 10)
        assert len(found.members) <= 10
