"""A parser that may run: how a worker is told about it, and the contracts that it brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from casparian_flow.core.artifacts import ParserArtifact
from casparian_flow.core.contracts import Contract, Origin
from casparian_flow.core.tables import table_from_output, table_of_file
from casparian_flow.protocol.messages import ParserOrder
from casparian_flow.publish.discover import FoundParser
from casparian_flow.publish.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Registered:
    """A parser that may be used."""

    artifact: ParserArtifact
    manifest: Manifest


def registered_of(found: FoundParser) -> Registered:
    """A parser that was found, as orders need it; raises what keeps it from being one."""
    if found.error is not None:
        raise found.error
    assert found.artifact is not None and found.manifest is not None
    return Registered(found.artifact, found.manifest)


def parser_order(parser: Registered, options: dict[str, Any]) -> ParserOrder:
    """A parser as a worker is told about it."""
    return ParserOrder(
        name=parser.artifact.name,
        label=parser.artifact.label,
        path=parser.artifact.path,
        artifact_hash=parser.artifact.artifact_hash,
        env_hash=parser.artifact.env_hash,
        tables=parser.manifest.tables,
        requires=list(parser.manifest.requires),
        declared=sorted(parser.manifest.outputs),
        shares_process=parser.manifest.shares_process,
        options=options,
    )


def declared_contracts(parser: Registered, base: str) -> dict[str, Contract]:
    """The contracts of the tables that the parser declares, by table, for a file that asks for the table `base`."""
    found = {}
    for output, columns in parser.manifest.outputs.items():
        table = table_of_file(base, output) if parser.manifest.tables == "file" else table_from_output(output)
        found[table] = Contract(
            table=table,
            version=1,
            columns=tuple(columns),
            origin=Origin.DECLARED,
            rules=tuple(parser.manifest.rules.get(output, ())),
            drift=tuple(parser.manifest.drift.get(output, ())),
        )
    return found
