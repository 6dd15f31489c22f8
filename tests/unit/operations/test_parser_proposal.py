"""A parser is proposed as exactly what lies there, with what its backtest says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.parser.proposal import propose
from casparian_flow.operations.parser.proposal import ProposeParser
from casparian_flow.publish.discover import plugin_parsers
from casparian_flow.settings import Home, Settings
from casparian_flow.store import backtests
from casparian_flow.wiring import open_acting

PLUGIN = """
from casparian_flow.sdk import Column, PluginMetadata
MANIFEST = PluginMetadata(version="1", pattern="*.own", outputs={"own": [Column("line", "string")]})
def parse(path):
    yield "own", [{"line": line} for line in path.read_text().splitlines()]
"""


@pytest.fixture
def acting(tmp_path: Path) -> Iterator[Acting]:
    home = Home(tmp_path / "home")
    home.plugins.mkdir(parents=True)
    (home.plugins / "own.py").write_text(PLUGIN)
    with open_acting(home, Settings(), tmp_path, lambda *_: None) as acting:
        yield acting


def tried(acting: Acting, totals: backtests.Totals, *, why: str | None = None, options: bool = False) -> str:
    """A backtest of what lies there now."""
    [found] = plugin_parsers(acting.home.plugins)
    assert found.artifact is not None
    new = backtests.NewBacktest(
        parser="own",
        artifact_hash=found.artifact.artifact_hash,
        env_hash=found.artifact.env_hash,
        against=None,
        options={"null": "NA"} if options else {},
        selection={"on": []},
        asked_by="kim",
    )
    with acting.database.transaction() as connection:
        number = backtests.begin(connection, new, 1)
        backtests.end(connection, number, [], totals, {}, why, 2)
    return f"B-{number}"


def test_asked_twice_it_is_one_proposal_and_another_content_is_another(acting: Acting) -> None:
    first = propose(acting, ProposeParser(parser="own"))
    assert (first.proposal.id, first.proposal.risk) == ("P-1", "restrictive")
    assert propose(acting, ProposeParser(parser="own")).digest == first.digest
    plugin = acting.home.plugins / "own.py"
    plugin.write_text(plugin.read_text() + "# more\n")
    assert propose(acting, ProposeParser(parser="own")).proposal.id == "P-2"
    with acting.database.transaction() as connection:
        states = connection.exec_driver_sql("SELECT state FROM cf_proposals ORDER BY id").scalars().all()
    assert states == ["void", "proposed"]
    with pytest.raises(NotFound, match="among the plugins"):
        propose(acting, ProposeParser(parser="nothing"))
    with pytest.raises(UsageError, match="shipped"):
        propose(acting, ProposeParser(parser="delimited"))


@pytest.mark.parametrize(
    ("totals", "why", "risk"),
    [
        (backtests.Totals(files=3, same=3), None, "lossless"),
        (backtests.Totals(files=3, same=2, differing=1, gained=5), None, "lossless"),
        (backtests.Totals(files=3, same=2, differing=1, lost=1), None, "restrictive"),
        (backtests.Totals(files=3, same=2, differing=1, changed=1), None, "restrictive"),
        (backtests.Totals(files=3, same=2, failed=1), None, "restrictive"),
        (backtests.Totals(files=3, same=2, differing=1, quarantined=1), None, "restrictive"),
        (backtests.Totals(files=3, same=2, not_run=1), "enough", "restrictive"),
        (backtests.Totals(), None, "restrictive"),
    ],
)
def test_only_a_whole_backtest_without_a_loss_asks_for_one_approval(
    acting: Acting, totals: backtests.Totals, why: str | None, risk: str
) -> None:
    number = tried(acting, totals, why=why)
    assert propose(acting, ProposeParser(parser="own", backtest=number)).proposal.risk == risk


def test_a_backtest_of_something_else_says_nothing(acting: Acting) -> None:
    with pytest.raises(UsageError, match="without options"):
        propose(acting, ProposeParser(parser="own", backtest=tried(acting, backtests.Totals(files=1), options=True)))
    number = tried(acting, backtests.Totals(files=1, same=1))
    plugin = acting.home.plugins / "own.py"
    plugin.write_text(plugin.read_text() + "# more\n")
    with pytest.raises(UsageError, match="another artifact"):
        propose(acting, ProposeParser(parser="own", backtest=number))
