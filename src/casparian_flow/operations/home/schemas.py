"""JSON Schemas of answers, read from the package."""

from __future__ import annotations

from typing import Any

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


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


OPERATIONS = (
    Operation("help.schema", ShowSchema, Schema, Effect.READ, "home.schemas.show", "One JSON Schema.", is_local=True),
    Operation(
        "help.schemas", ListSchemas, SchemaList, Effect.READ, "home.schemas.list_", "Every JSON Schema.", is_local=True
    ),
)
