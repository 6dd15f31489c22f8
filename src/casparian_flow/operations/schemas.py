"""JSON Schemas of answers, read from the package."""

from __future__ import annotations

import difflib
import json
from functools import cache
from pathlib import Path
from typing import Any

from casparian_flow import manual
from casparian_flow.core.errors import NotFound
from casparian_flow.operations.local import Local
from casparian_flow.operations.registry import Effect, Operation, Reply, Request

FILE = Path(manual.__file__).parent / "schemas.json"


class ListSchemas(Request, frozen=True, kw_only=True):
    """Every schema."""


class ShowSchema(Request, frozen=True, kw_only=True):
    """One schema, by what an answer carries in `schema`; `casparian.` and `/1` may be left out."""

    name: str


class SchemaEntry(Reply, frozen=True, kw_only=True):
    """One schema and what has it."""

    name: str
    title: str


class SchemaList(Reply, frozen=True, kw_only=True):
    """Every schema."""

    schemas: list[SchemaEntry]


class Schema(Reply, frozen=True, kw_only=True):
    """One JSON Schema, of the dialect that it names."""

    name: str
    body: dict[str, Any]


@cache
def read_schemas() -> dict[str, dict[str, Any]]:
    """Every JSON Schema by its name."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def list_(_local: Local, _request: ListSchemas) -> SchemaList:
    """Every schema with its title."""
    return SchemaList(schemas=[SchemaEntry(name=name, title=body["title"]) for name, body in read_schemas().items()])


def show(_local: Local, request: ShowSchema) -> Schema:
    """One schema; raises NotFound, with the name that was probably meant."""
    known = read_schemas()
    for name in (request.name, f"casparian.{request.name}/1"):
        if name in known:
            return Schema(name=name, body=known[name])
    short = {name.removeprefix("casparian.").rpartition("/")[0]: name for name in known}
    close = [short[each] for each in difflib.get_close_matches(request.name, short, n=1, cutoff=0.5)]
    raise NotFound(
        f"there is no schema {request.name!r}",
        why=f"did you mean {close[0]}?" if close else "",
        fix=f"casparian help schemas {close[0]}" if close else "casparian help schemas",
    )


OPERATIONS = (
    Operation("help.schema", ShowSchema, Schema, Effect.READ, show, "One JSON Schema.", is_local=True),
    Operation("help.schemas", ListSchemas, SchemaList, Effect.READ, list_, "Every JSON Schema.", is_local=True),
)
