"""A purge of rejected rows that is broken off at any of its steps is whole after the next command, or never began."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.core.outputs import Role
from casparian_flow.sentinel.governance import effects_purge
from casparian_flow.sentinel.history import erasing
from casparian_flow.sinks.database import DatabaseSink
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.store import tombstones
from casparian_flow.store.database import Database
from product import ProductHere

PLANTED = "Qx7-planted-5512"
STEPS: dict[str, tuple[object, str]] = {
    "the entries are purged": (effects_purge, "trim"),
    "rows are counted": (effects_purge.output_store, "count_purged"),
    "repairs are forgotten": (erasing, "forget_repairs"),
    "files are chosen": (erasing, "plan_compaction"),
    "files are written": (erasing, "carry_out"),
    "files are permitted": (erasing, "permit_compaction"),
    "what was written is noted": (erasing, "_set_written"),
    "a database is marked": (erasing, "_mark"),
    "entries are promoted": (erasing, "_settle"),
    "old files are looked for": (erasing, "_history"),
    "old files go": (FolderSink, "erase"),
    "rows of a database go": (DatabaseSink, "erase"),
    "the home is scrubbed": (erasing, "scrub_rejects"),
    "the home is written anew": (Database, "write_anew"),
    "reports are forgotten": (erasing, "forget_reports"),
    "the tombstones are closed": (tombstones, "set_erased"),
}


def broken(step: Callable[..., object], *, after: bool) -> Callable[..., object]:
    """The step, at whose beginning or end the power goes."""

    def cut(*given: object, **named: object) -> object:
        if after:
            step(*given, **named)
        raise SinkUnavailable("the power went")

    return cut


def places(*folders: Path) -> list[str]:
    return [
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and PLANTED.encode() in path.read_bytes()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("named", STEPS)
def test_a_purge_is_finished_by_the_next_command_wherever_it_was_broken_off(
    product_here: ProductHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, after: bool
) -> None:
    monkeypatch.setenv("CASPARIAN_APPROVER_KEY", str(tmp_path / "approver.key"))
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    sinks = [f"parquet://{out}/p", f"sqlite://{out}/s.db"]
    to = [part for sink in sinks for part in ("--sink", sink)]
    (folder / "p_1.csv").write_text("id,n\n1,1\n")
    product_here.run(str(folder), *to)
    for at in (2, 3):
        (folder / f"p_{at}.csv").write_text(f"id,n\n{at}1,{PLANTED}\n{at}2,y\n{at}3,3\n")
    product_here.run(str(folder), *to)
    groups = product_here("quarantine", "--json").json["groups"]
    (group,) = [each["group"] for each in groups if each["sample"] == PLANTED]
    asked = product_here("quarantine", "purge", group, "--reason", "r", "--json", expect=[0]).json["proposal"]["id"]
    owner, name = STEPS[named]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, broken(getattr(owner, name), after=after))
        assert product_here("approve", asked, "--reason", "r").code != 0
    if owner in (effects_purge, effects_purge.output_store):  # within the one transaction: nothing of it happened
        assert len(product_here("quarantine", "--json").json["groups"]) == 2
        product_here("approve", asked, "--reason", "r", expect=[0])
    product_here.run(str(folder), *to, expect=[0])
    assert places(product_here.home, out) == []
    for sink in sinks:
        kept = product_here.table("p", Role.QUARANTINE, sink)
        assert sorted(kept["_cf_source_row"].to_pylist()) == [2, 2]
        assert sorted(product_here.table("p", sink=sink)["id"].to_pylist()) == [1, 23, 33]
        history = product_here("output", "history", "p", "--sink", sink, "--json").json["commits"]
        assert sum(each["action"] in ("compact", "retire") for each in history) == 1  # however often it began
    outputs = product_here("output", "list", "--json", expect=[0]).json["outputs"]
    assert [(each["quarantined"], each["purged"]) for each in outputs] == [(2, 2), (2, 2)]
    refused = product_here("quarantine", "show", group, expect=[7])
    assert f"erased by {asked}" in refused.err
