"""How what `operations.home.schemas` names is done."""

from __future__ import annotations

import difflib
import json
from functools import cache
from pathlib import Path
from typing import Any

from casparian_flow import manual
from casparian_flow.core.errors import NotFound
from casparian_flow.operations.home.schemas import ListSchemas, Schema, SchemaEntry, SchemaList, ShowSchema
from casparian_flow.operations.local import Local

FILE = Path(manual.__file__).parent / "schemas.json"


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
