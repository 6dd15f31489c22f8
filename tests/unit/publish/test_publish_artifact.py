"""What identifies a parser, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.artifacts import ParserOrigin, ParserStatus
from casparian_flow.core.errors import EnvironmentMissing, ParserInvalid
from casparian_flow.publish import artifact as artifact_module
from casparian_flow.publish.artifact import artifact_hash, artifact_of, environment_hash
from casparian_flow.publish.manifest import read_manifest

SOURCE = "MANIFEST = PluginMetadata(version='3')\ndef parse(path): ...\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "evtx"
    (made / "inner").mkdir(parents=True)
    (made / "parser.py").write_text(SOURCE)
    (made / "inner" / "deep.py").write_text("")
    return made


def test_an_artifact_carries_name_version_and_trust(folder: Path) -> None:
    artifact = artifact_of(folder, ParserOrigin.SHIPPED, ParserStatus.ACTIVE, read_manifest(folder))
    assert (artifact.name, artifact.version) == ("evtx", "3")
    assert artifact.path == str(folder)
    assert artifact.artifact_hash == artifact_hash(folder)
    assert artifact.label == f"evtx@3+{artifact.artifact_hash[7:15]}"


@pytest.mark.parametrize("name", ["cases/one/input.csv", "README.md", "__pycache__/x.pyc", "inner/y.pyc", ".git/HEAD"])
def test_what_no_guest_runs_does_not_change_the_hash(folder: Path, name: str) -> None:
    before = artifact_hash(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"new")
    assert artifact_hash(folder) == before


@pytest.mark.parametrize(
    "name", ["parser.py", "inner/deep.py", "new.py", "table.csv", "uv.lock", "inner/cases/hidden.py", ".settings"]
)
def test_everything_else_does(folder: Path, name: str) -> None:
    before = artifact_hash(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"new")
    assert artifact_hash(folder) != before


def test_a_renamed_file_is_another_artifact(folder: Path) -> None:
    before = artifact_hash(folder)
    (folder / "inner" / "deep.py").rename(folder / "inner" / "other.py")
    assert artifact_hash(folder) != before


def test_the_folders_own_place_and_name_do_not_matter(folder: Path) -> None:
    before = artifact_hash(folder)
    assert artifact_hash(folder.rename(folder.with_name("moved"))) == before


def test_a_linked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ParserInvalid, match="link"):
        artifact_hash(folder)


def test_a_parser_with_too_much_in_it_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_module, "MAX_ARTIFACT", 10)
    with pytest.raises(ParserInvalid, match="more than"):
        artifact_hash(folder)


def test_the_environment_is_the_same_in_any_order_and_spelling() -> None:
    assert environment_hash(["NumPy>=1", "click"]) == environment_hash(["click", "numpy", "pyarrow"])
    assert environment_hash([]) != environment_hash(["numpy"])


def test_another_version_is_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment_hash([])
    monkeypatch.setattr(artifact_module.importlib.metadata, "version", lambda name: "999")
    assert environment_hash([]) != before


def test_a_missing_distribution_is_named_with_the_fix() -> None:
    with pytest.raises(EnvironmentMissing) as caught:
        environment_hash(["no-such-distribution-anywhere>=2"])
    assert "no-such-distribution-anywhere" in caught.value.message
    assert caught.value.fix == "pip install no-such-distribution-anywhere"


def test_a_requirement_that_is_none_is_invalid() -> None:
    with pytest.raises(ParserInvalid):
        environment_hash(["???"])
