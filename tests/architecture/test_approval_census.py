"""Nothing becomes governed but by being applied: by the source, and by asking for everything that there is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from approvers import Approver
from casparian_flow.core.amendments import Add
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.proofs import Empirical
from casparian_flow.core.proposal_bodies import Activation, Amendment, Body, Selected, Selection
from casparian_flow.core.proposals import Kind, Origin, Risk, State, label
from casparian_flow.operations import index
from casparian_flow.operations.context import Acting
from casparian_flow.operations.local import Local
from casparian_flow.operations.registry import Effect, Operation
from casparian_flow.settings import Home, Settings
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.proposals import Draft, Proof
from casparian_flow.store.views.proposals import list_proposals
from casparian_flow.wiring import open_acting
from landed_home import landed_home

PACKAGE = Path(__file__).parents[2] / "src" / "casparian_flow"
PLUGIN = """
from casparian_flow.sdk import Column, PluginMetadata
MANIFEST = PluginMetadata(version="1", pattern="*.own", outputs={"own": [Column("line", "string")]})
def parse(path):
    yield "own", [{"line": line} for line in path.read_text().splitlines()]
"""
GOVERNED = {
    "contracts": "SELECT id, table_name, version, state, hash, body, decided_by FROM schema_contracts "
    "WHERE state IN ('applied', 'superseded') ORDER BY id",
    "parsers": "SELECT id, status, activated_by FROM cf_parsers ORDER BY id",
    "proposals": "SELECT id, state FROM cf_proposals WHERE state IN ('approved', 'applied') ORDER BY id",
    "entries": "SELECT id, state FROM cf_quarantine_groups WHERE state IN ('waived', 'purged') ORDER BY id",
    "tombstones": "SELECT * FROM cf_tombstones ORDER BY id",
}
"""What only an applied proposal changes."""
ZONE = Add(column=ContractColumn("zone", "string"))
NOBODY = {"digest": "blake3:0", "at": 1, "key": "0" * 32, "signature": bytes(64)}
EXAMPLES: dict[str, dict[str, Any]] = {
    "approval.withdraw": {"proposal": "W-7"},
    "backtest.run": {"parser": "csv"},
    "case.use": {"case": "nothing"},
    "config.import": {"file": "config.toml"},
    "config.set": {"key": "governance.first_contract", "value": "adopt"},
    "config.unset": {"key": "governance.first_contract"},
    "contract.amend": {"table": "sales", "operations": [{"op": "drop", "column": "text"}]},
    "contract.import": {"path": "sales.yaml", "reason": "no"},
    "contract.propose": {"proposal": "A-3", "full": True},
    "demo": {"folder": "demo"},
    "doctor.fix": {},
    "doctor.recover": {},
    "init": {"folder": "case"},
    "jobs.cancel": {"jobs": ["@last"]},
    "jobs.priority": {"job": "@last", "priority": 5},
    "jobs.retry": {"jobs": ["@last"]},
    "jobs.revert": {"job": "@last", "reason": "no"},
    "key.add": {"public": bytes(31) + b"1", "actor": "mallory"},
    "key.revoke": {"key": "0" * 32},
    "output.compact": {"table": "sales"},
    "output.revert": {"table": "sales", "snapshot": "@-1"},
    "parser.propose": {"parser": "own"},
    "parser.resume": {"parser": "csv"},
    "parser.set": {"parser": "delimited", "table": "sales", "options": {"null": "NA"}, "reason": "no"},
    "plan.make": {},
    "quarantine.purge": {"group": "00", "reason": "no"},
    "quarantine.repair": {"row": "00:1", "values": {"n": "1"}, "reason": "no"},
    "quarantine.reveal": {"group": "00", "rows": 1, "reason": "no"},
    "quarantine.triage": {"group": "00", "owner": "mallory"},
    "quarantine.waive": {"group": "00", "reason": "no"},
    "repair.revoke": {"repair": 1},
    "replay.plan": {"groups": ["00"]},
    "replay.start": {"groups": ["00"]},
    "rules.add": {"pattern": "*.csv", "tag": "t"},
    "rules.apply": {"dry_run": False},
    "rules.remove": {"rule": 1},
    "run": {"selection": {"paths": ["empty"]}},
    "scan": {"paths": ["empty"]},
    "sentinel.stop": {},
    "sink.add": {"uri": "csv://more", "name": "more"},
    "sink.remove": {"name": "more"},
    "source.add": {"path": "empty"},
    "source.ignore": {"source": "1", "patterns": ["*.tmp"]},
    "source.policy": {"source": "1", "when_missing": "purge"},
    "source.remove": {"source": "99"},
    "source.use": {"source": "1"},
    "tags.add": {"files": ["sales.csv"], "tag": "t"},
    "tags.remove": {"files": ["sales.csv"], "tag": "t"},
    "token.add": {"name": "mallory", "scopes": ["admin"]},
    "token.revoke": {"name": "mallory"},
    "topic.add": {"topic": "sales", "sinks": ["csv://more"]},
    "topic.remove": {"topic": "sales"},
    "topic.set": {"topic": "sales", "sinks": ["csv://more"]},
    "watch.add": {"scan": {"paths": ["empty"]}},
    "watch.follow": {"scan": {"paths": ["empty"]}, "seconds": 0.1},
    "watch.look": {"watch": 1, "sources": [], "parts": []},
    "watch.open": {"watch": 1},
    "watch.remove": {"watch": 1},
    "worker.drain": {"worker": "w"},
    "worker.invite": {"worker": "w", "address": "localhost:1"},
    "worker.remove": {"worker": "w"},
    "approval.approve": {"proposal": "A-3", **NOBODY},
    "approval.reject": {"proposal": "A-3", **NOBODY},
    "contract.approve": {"contract": 2, **NOBODY},
}
"""Every operation that changes something, as somebody asks who holds the home and no key."""


@pytest.fixture
def acting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acting]:
    """A home with a table, a plugin, and one proposal of each kind that waits."""
    monkeypatch.setenv("HOME", str(tmp_path))
    home = landed_home(tmp_path / "home")
    home.plugins.mkdir(exist_ok=True)
    (home.plugins / "own.py").write_text(PLUGIN)
    (tmp_path / "empty").mkdir()
    with open_acting(home, Settings(), tmp_path, lambda *_: None) as acting:
        ask(acting, index.find("plan.make"), EXAMPLES["plan.make"])  # the shipped parsers are known from now on
        with acting.database.transaction() as connection:
            propose_each(connection)
        yield acting


def propose_each(connection: Connection) -> None:
    sales = contract_store.of_table(connection, "sales")
    assert sales is not None
    held = Contract("held", 1, (ContractColumn("n", "int64"),))
    contract_store.propose(connection, held, {"jobs": []}, "casparian", 1)
    parser = connection.exec_driver_sql("SELECT id, artifact_hash, env_hash FROM cf_parsers WHERE name = 'own'").one()
    chosen = Selection(entries=(Selected(job=1, cause="00"),))
    bodies: dict[Kind, tuple[str | None, str, str, Body]] = {
        Kind.AMENDMENT: (
            "sales",
            "",
            sales.hash,
            Amendment(operations=(Add(column=ContractColumn("zone", "string")),)),
        ),
        Kind.PARSER: (
            None,
            str(parser.id),
            parser.artifact_hash,
            Activation(parser="own", version="1", artifact_hash=parser.artifact_hash, env_hash=parser.env_hash),
        ),
        Kind.REPLAY: ("sales", "", "s", chosen),
        Kind.PURGE: ("sales", "", "s", chosen),
        Kind.WAIVER: ("sales", "", "s", chosen),
    }
    for kind, (table, subject, base, body) in bodies.items():
        wanted = Draft(
            kind=kind,
            signature=kind,
            table=table,
            subject=subject,
            base_digest=base,
            body=body,
            origin=Origin.PERSON,
            proposed_by="kim",
        )
        number = proposal_store.draft(connection, wanted, 1)
        proof = Proof(risk=Risk.ADDITIVE, empirical=Empirical(is_complete=True))
        proposal_store.propose(connection, number, proof, 2)


def ask(acting: Acting, operation: Operation[Any, Any], example: dict[str, Any]) -> bool:
    """Whether it was done; what refuses says so with an error of ours."""
    request = msgspec.convert(example, operation.request)
    local = Local(
        home=Home(acting.cwd / "other"), case=None, env={}, overrides={}, cwd=acting.cwd, now_ns=acting.clock()
    )
    try:
        operation.function(local if operation.is_local else acting, request)
    except CasparianError:
        return False
    return True


def governed(acting: Acting) -> str:
    """The digest of everything that is governed."""
    with acting.database.transaction() as connection:
        return digest_of_json(
            {
                name: [list(map(str, row)) for row in connection.exec_driver_sql(statement)]
                for name, statement in GOVERNED.items()
            }
        )


def changing() -> list[Operation[Any, Any]]:
    return [each for each in index.every() if each.effect is not Effect.READ]


def test_every_operation_that_changes_something_is_asked_here() -> None:
    assert {each.name for each in changing()} == EXAMPLES.keys()


def test_nothing_that_can_be_asked_for_changes_what_is_governed(acting: Acting) -> None:
    before = governed(acting)
    done = set()
    for operation in changing():
        if ask(acting, operation, EXAMPLES[operation.name]):
            done.add(operation.name)
        assert governed(acting) == before, operation.name
    assert len(done) > 30, done  # not all of them were refused
    assert not done & {"approval.approve", "approval.reject", "contract.approve"}


@pytest.mark.parametrize("kind", [Kind.CONTRACT, Kind.AMENDMENT, Kind.PARSER])
def test_only_a_signed_decision_does(acting: Acting, kind: Kind) -> None:
    person = Approver(acting.actor)
    before = governed(acting)
    with acting.database.transaction() as connection:
        person.enrol(connection)
        [row] = list_proposals(connection, kind=kind, states=[State.PROPOSED])
        given = person.says(connection, row["id"])
    signed = {
        "digest": given.digest,
        "at": given.at_ns,
        "key": given.key,
        "signature": given.signature,
        "reason": given.reason,
    }
    if kind is Kind.CONTRACT:
        name, example = "contract.approve", {"contract": int(row["subject"]), **signed}
    else:
        name, example = "approval.approve", {"proposal": label(kind, row["id"]), **signed}
    assert not ask(acting, index.find(name), {**example, "reason": "another"})
    assert governed(acting) == before
    assert ask(acting, index.find(name), example)
    assert governed(acting) != before


WRITES = {"insert", "update", "delete", "upsert"}
TABLES = {"contracts", "parsers", "proposals", "tombstones", "quarantine"}
MAY_WRITE = {
    "contracts": {  # drafts, void and rejected ones: never what is in force
        "store/contracts.py",
        "store/proposals.py",  # void with its proposal
        "store/scrubbing.py",
        "store/closing.py",  # takes out what an applied class closed
    },
    "parsers": {"store/parsers.py"},  # those that are seen: pending, or shipped
    "proposals": {
        "store/evidence.py",
        "store/proposals.py",  # up to `proposed`, and every end but `applied`
        "store/scrubbing.py",  # takes out what an applied purge erased
        "store/closing.py",
        "store/scrubbing_rejects.py",
    },
    "tombstones": {"store/tombstones.py"},  # of files that went, and what an applied purge came to
    "quarantine": {  # open, triaged, fix_ready, replayed
        "store/causes.py",
        "store/findings.py",
        "store/outputs.py",
        "store/repairs.py",
        "store/replays.py",
        "store/reversals.py",
        "store/scrubbing.py",
        "store/closing.py",
        "store/scrubbing_rejects.py",
        "store/settling.py",
    },
}
"""Who writes a table that has governed columns, beside the one who may write those."""


def written(path: Path) -> Iterator[str]:
    """The tables that statements of a file write."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WRITES and node.args:
            table = node.args[0]
            name = table.id if isinstance(table, ast.Name) else getattr(table, "attr", "")
            if name in TABLES:
                yield name


def test_only_one_file_writes_what_is_governed() -> None:
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        if name != "store/governed.py" and "migrations" not in path.parts:
            for table in written(path):
                found.setdefault(table, set()).add(name)
    assert {(table, file) for table, files in found.items() for file in files - MAY_WRITE.get(table, set())} == set()


@pytest.mark.parametrize(
    "word", ["ContractState.APPLIED", "ContractState.SUPERSEDED", "State.APPROVED", "State.APPLIED"]
)
def test_nobody_else_says_in_a_statement_that_something_is_governed(word: str) -> None:
    for path in sorted((PACKAGE / "store").rglob("*.py")):
        if path.name != "governed.py" and not {"migrations", "tables"} & set(path.parts):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_value = isinstance(node, ast.keyword) and node.arg == "state"
                assert not is_value or ast.unparse(node.value) != word, path


def test_the_census_sees_a_write() -> None:
    """So that it is no census of nothing."""
    assert set(written(PACKAGE / "store" / "governed.py")) >= {"contracts", "parsers", "proposals"}
