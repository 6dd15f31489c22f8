"""Looking at a file without a parser needs no home and no scan."""

from __future__ import annotations

import zipfile
from pathlib import Path

from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.file.inspect import PreviewFile
from casparian_flow.operations.file.look import ListArchive, ReadLines
from casparian_flow.operations.index import find
from casparian_flow.operations.parser.infer import InferColumns
from casparian_flow.settings import Home, Settings


def test_members_and_lines_are_shown_in_bounds(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in "abc":
            archive.writestr(name, name)
    (tmp_path / "t.txt").write_text("one\ntwo\nthree\n")
    with open_reading(Home(tmp_path / "home"), Settings(), tmp_path) as reading:
        listing = find("inspect.archive").function(reading, ListArchive(path="a.zip", limit=2))
        lines = find("preview.raw").function(reading, ReadLines(path="t.txt", lines=2))
    assert [member.name for member in listing.members] == ["a", "b"] and listing.stopped
    assert [line.text for line in lines.lines] == ["one", "two"] and lines.is_cut
    assert not (tmp_path / "home").exists()


def test_a_row_that_breaks_a_contract_is_previewed_with_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "sound.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n3,x\n")
    with open_reading(Home(tmp_path / "home"), Settings(), tmp_path) as reading:
        find("infer").function(reading, InferColumns(path="sound.csv", to="contract.toml"))
        contract = (tmp_path / "contract.toml").read_text()
        (tmp_path / "contract.toml").write_text(contract.replace("sound", "broken"))
        shown = find("preview").function(reading, PreviewFile(path="broken.csv", contract="contract.toml"))
    (output,) = shown.outputs
    assert output.rows == [["1", "2"]]
    assert [(row.start, row.end) for row in output.rejected] == [(8, 12)]
