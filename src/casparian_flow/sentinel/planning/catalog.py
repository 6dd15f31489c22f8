"""The parsers that a run may choose from, registered with their artifact and environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from casparian_flow.publish.discover import named_parser, plugin_parsers, shipped_parsers
from casparian_flow.publish.manifest import Manifest
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.sentinel.planning.registered import Registered, declared_contracts
from casparian_flow.sentinel.planning.routing import Candidate, candidate_of
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
    found = [*plugin_parsers(plugins), *shipped_parsers()]
    if explicit is not None and explicit not in {each.manifest.name for each in found if each.manifest}:
        found.append(named_parser(explicit, plugins, cwd))
    usable = {each.manifest.name: (each.manifest, each.artifact) for each in found if each.manifest and each.artifact}
    candidates: dict[str, Candidate] = {}
    registered: dict[int, Registered] = {}
    with database.transaction() as connection:
        trusted = parser_store.trusted(connection)
        for name, (manifest, artifact) in usable.items():
            number, status = parser_store.register(connection, artifact, manifest_text(manifest), now_ns)
            known = replace(artifact, status=status)
            candidates[name] = candidate_of(number, manifest, known, is_trusted=name in trusted)
            registered[number] = Registered(known, manifest)
    return Catalog(candidates, registered)


def name_of(explicit: str) -> str:
    """The name of a parser that was asked for by name or as a path."""
    return Path(explicit).stem if explicit.endswith(".py") else Path(explicit).name


def apply_declared(database: Database, catalog: Catalog, asked: Iterable[tuple[Candidate, str]], now_ns: int) -> None:
    """Put the contracts in force that parsers declare, for those of their tables that have none.

    `asked` are the parsers that run, each with the table that a file of theirs asks for.
    """
    with database.transaction() as connection:
        known = set(contract_store.in_force(connection))
        for parser, base in asked:
            registered = catalog.registered[parser.id]
            for table, contract in declared_contracts(registered, base).items():
                if table not in known:
                    known.add(table)
                    adopt(
                        connection,
                        contract,
                        Rule.DECLARED,
                        DECLARED_BY,
                        now_ns,
                        reason=f"declared by {registered.artifact.label}",
                    )


def manifest_text(manifest: Manifest) -> str:
    """A manifest as the store keeps it."""
    return msgspec.json.encode(manifest, enc_hook=dict, order="sorted").decode()
