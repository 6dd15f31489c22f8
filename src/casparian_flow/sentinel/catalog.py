"""The parsers that a run may choose from, registered with their artifact and environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from casparian_flow.core.contracts import Contract, Origin
from casparian_flow.core.errors import NotFound
from casparian_flow.publish.discover import Found, local_parser, plugin_parsers, shipped_parsers
from casparian_flow.sentinel.orders import Registered
from casparian_flow.sentinel.routing import Candidate
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import parsers as parser_store
from casparian_flow.store.database import Database

DECLARED_BY = "parser"


@dataclass(frozen=True, slots=True)
class Catalog:
    """Parsers by name for routing, and by store id for dispatch."""

    candidates: Mapping[str, Candidate]
    registered: Mapping[int, Registered]


def load_catalog(database: Database, plugins: Path, explicit: str | None, cwd: Path, now_ns: int) -> Catalog:
    """Every usable parser: those we ship, those in the home, and the one asked for, by name or as a path.

    A plugin may not take a shipped parser's name from it. Raises NotFound or ParserInvalid for the one asked for.
    """
    found = {each.name: each for each in (*plugin_parsers(plugins), *shipped_parsers()) if each.error is None}
    if explicit is not None and explicit not in found:
        path = (cwd / explicit).resolve()
        if not path.exists():
            raise NotFound(f"there is no parser {explicit}", why="neither a known name nor a file", fix="casparian parser list")
        asked = local_parser(path)
        found[explicit] = asked
    candidates: dict[str, Candidate] = {}
    registered: dict[int, Registered] = {}
    with database.transaction() as connection:
        for name, each in found.items():
            number = parser_store.register(connection, each.artifact, _manifest_text(each), now_ns)
            candidates[name] = Candidate(
                id=number,
                artifact=each.artifact,
                content=tuple(each.manifest.content),
                subscriptions=tuple(each.manifest.subscriptions),
                tables=each.manifest.tables,
                outputs=tuple(sorted(each.manifest.outputs)),
            )
            registered[number] = Registered(each.artifact, each.manifest)
    return Catalog(candidates, registered)


def apply_declared(database: Database, parser: Registered, in_force: Mapping[str, Contract], now_ns: int) -> None:
    """Put the contracts that a parser declares in force, for those of its tables that have none."""
    with database.transaction() as connection:
        for table, columns in parser.manifest.outputs.items():
            if table not in in_force:
                contract = Contract(table=table, version=1, columns=tuple(columns), origin=Origin.DECLARED)
                contract_store.apply_first(
                    connection, contract, {"artifact": parser.artifact.artifact_hash}, DECLARED_BY, now_ns
                )


def _manifest_text(found: Found) -> str:
    return json.dumps(asdict(found.manifest), sort_keys=True, default=str)
