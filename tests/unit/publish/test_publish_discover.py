"""Which parsers there are, and that a broken one never hides the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.artifacts import ParserOrigin, ParserStatus
from casparian_flow.core.errors import EnvironmentMissing, ParserInvalid
from casparian_flow.publish.discover import local_parser, plugin_parsers, shipped_parsers
from casparian_flow.publish.manifest import CONTENT

PARSE = "def parse(path): ...\n"


def test_shipped_parsers_are_found_by_kind_of_evidence_and_are_active(tmp_path: Path) -> None:
    for name in ("windows/evtx", "generic/csv", "generic/csv/cases/nested"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "parser.py").write_text(PARSE)
    found = shipped_parsers(tmp_path)
    assert [item.artifact.name for item in found if item.artifact] == ["csv", "evtx"]
    assert {(item.artifact.origin, item.artifact.status) for item in found if item.artifact} == {
        (ParserOrigin.SHIPPED, ParserStatus.ACTIVE)
    }


def test_everything_that_is_shipped_can_be_used() -> None:
    assert [str(item.error) for item in shipped_parsers() if item.error] == []


def test_each_distribution_is_looked_up_once_for_all_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def version(name: str) -> str:
        asked.append(name)
        return "1"

    monkeypatch.setattr("importlib.metadata.version", version)
    assert len(shipped_parsers()) > 1
    assert sorted(asked) == sorted(set(asked)) and "pyarrow" in asked


@pytest.mark.parametrize("kind", CONTENT)
def test_every_kind_of_content_has_a_parser(kind: str) -> None:
    assert [item.path.name for item in shipped_parsers() if item.manifest and kind in item.manifest.content]


def test_plugins_are_files_and_folders_and_pending(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(PARSE)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "parser.py").write_text(PARSE)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "_draft.py").write_text(PARSE)
    (tmp_path / "data").mkdir()
    found = plugin_parsers(tmp_path)
    assert [item.artifact.name for item in found if item.artifact] == ["one", "two"]
    assert {(item.artifact.origin, item.artifact.status) for item in found if item.artifact} == {
        (ParserOrigin.PLUGIN, ParserStatus.PENDING)
    }


def test_a_broken_plugin_is_listed_with_its_error_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def parse(")
    (tmp_path / "good.py").write_text(PARSE)
    (tmp_path / "poor.py").write_text("MANIFEST = PluginMetadata(requires=['no-such-distribution'])\n" + PARSE)
    bad, good, poor = plugin_parsers(tmp_path)
    assert isinstance(bad.error, ParserInvalid)
    assert bad.artifact is None
    assert good.error is None
    assert good.manifest is not None
    assert isinstance(poor.error, EnvironmentMissing)


def test_without_a_plugin_folder_there_are_no_plugins(tmp_path: Path) -> None:
    assert plugin_parsers(tmp_path / "none") == []


def test_a_local_parser_is_pending_and_its_errors_are_raised(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PARSE)
    found = local_parser(tmp_path / "mine.py")
    assert found.artifact is not None
    assert (found.artifact.origin, found.artifact.status) == (ParserOrigin.LOCAL, ParserStatus.PENDING)
    assert found.artifact.label.endswith("(pending)")
    for path in (tmp_path, tmp_path / "gone.py"):
        with pytest.raises(ParserInvalid):
            local_parser(path)
