"""The API is the registry: every operation has its route, and nothing changes state but an operation."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from api_service import a_service
from casparian_flow.clients.control import Control
from casparian_flow.clients.http import openapi
from casparian_flow.clients.http.app import make_app
from casparian_flow.clients.http.asker import scope_of
from casparian_flow.clients.http.decode import may_be_got
from casparian_flow.clients.http.paths import path_of
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.scopes import Scope
from casparian_flow.operations import index
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.registry import Effect
from casparian_flow.settings import Home, Settings
from casparian_flow.store.database import Database
from product import ProductHere

PACKAGE = Path(__file__).parents[2] / "src" / "casparian_flow"
IMPORTS = re.compile(r"^\s*(?:from|import) (casparian_flow\.store|sqlite3)\b", re.MULTILINE)
MAY_HOLD_THE_DATABASE = {"operations", "scout", "sentinel", "store", "wiring.py"}
HAVE_FILES_OF_THEIR_OWN = {"lab", "parsers", "sinks"}
"""Use SQLite for files that are not the control database."""
REACHING = {"path", "paths", "to", "file", "files", "folder", "cases", "contract", "parser", "sink"}
"""Names of fields that can stand for a file of the machine."""
HELD_FAST = {
    "export": {"sink"},  # one that holds the table already
    "contract.show": {"contract"},  # a number or the name of a table
    "files.show": {"file"},  # one that is known, by its path
    "files.versions": {"file"},
    "jobs.list": {"parser", "file"},  # the name of one, and a known file
    "output.history": {"sink"},  # one that holds the table already
    "output.plan_compact": {"sink"},
    "output.plan_revert": {"sink"},
    "output.show": {"sink"},
    "parser.show": {"parser"},  # the name of one that is listed
    "rules.propose": {"files"},  # known ones
    "rules.test": {"path"},  # a name to compare with, or a known file
}
"""Fields with such a name that only choose among what the home knows already."""


def test_every_reference_of_the_document_leads_somewhere_and_names_are_plain() -> None:
    document = openapi.document(openapi.remote_operations())
    schemas = document["components"]["schemas"]
    # Two structs of one name would be told apart by their modules, which are nobody's business and break generators.
    assert [name for name in schemas if not re.fullmatch(r"[A-Za-z0-9]+", name)] == []
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', msgspec.json.encode(document).decode())):
        found: Any = document
        for part in reference.split("/"):
            assert part in found, reference
            found = found[part]


def test_every_operation_has_its_route_and_stands_in_the_document(tmp_path: Path) -> None:
    document = openapi.document(openapi.remote_operations())
    home = Home(tmp_path)
    service = a_service(home)
    app = make_app(service)
    routes = {route.path: route.methods for route in app.routes}
    remote = [each for each in index.every() if not each.is_local]
    assert len(remote) > 50
    for operation in remote:
        methods = {method.upper() for method in document["paths"][path_of(operation.name)]}
        assert methods == routes[path_of(operation.name)] - {"HEAD"}
        assert ("GET" in methods) is may_be_got(operation)
        assert "POST" in methods
    own = {"/v1/openapi.json", "/v1/events", "/metrics", "/health", "/health/live", "/health/ready"}
    assert document["paths"].keys() == routes.keys() == {path_of(each.name) for each in remote} | own
    service.gate.doorkeeper.close()


def test_only_operations_that_read_can_be_asked_without_operate_approve_or_admin() -> None:
    for operation in openapi.remote_operations():
        if scope_of(operation) is Scope.READ:
            assert operation.effect is Effect.READ, operation.name
        if may_be_got(operation):
            assert operation.effect is Effect.READ, operation.name


def test_every_field_of_a_reading_operation_that_can_name_a_file_is_declared() -> None:
    for operation in openapi.remote_operations():
        if operation.effect is Effect.READ:
            fields = set(operation.request.__struct_fields__)
            assert fields >= {*operation.reads, *operation.writes}
            undeclared = (fields & REACHING) - {*operation.reads, *operation.writes}
            assert undeclared == HELD_FAST.get(operation.name, set()), operation.name


def test_what_takes_a_state_version_can_be_told_one() -> None:
    shown = {each.name.partition(".")[0] for each in openapi.remote_operations() if each.version_at}
    for operation in openapi.remote_operations():
        if "if_version" in operation.request.__struct_fields__:
            assert operation.effect is not Effect.READ
            assert operation.name.partition(".")[0] in shown


def test_only_the_control_plane_opens_the_control_database() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0]
        imports = set(IMPORTS.findall(path.read_text(encoding="utf-8")))
        if "casparian_flow.store" in imports or ("sqlite3" in imports and part not in HAVE_FILES_OF_THEIR_OWN):
            found.add(part)
    assert found == MAY_HOLD_THE_DATABASE


def minimal(kind: Any, given: dict[str, Any]) -> Any:
    """A request with its required fields alone."""
    values = {
        field.name: given.get(field.name, ["x"] if "tuple" in str(field.type) else 1 if field.type is int else "x")
        for field in msgspec.structs.fields(kind)
        if field.required
    }
    return msgspec.convert(values, kind)


@pytest.mark.slow
def test_no_operation_that_reads_changes_anything(product_here: ProductHere, tmp_path: Path) -> None:
    """Each is asked about things that exist, over a database whose every change would be seen."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "sales.csv").write_text("id,amount\n1,2.5\n2,3.5\nthree,4\n")
    product_here("run", str(data), expect=(0, 3))
    home = Home(product_here.home)
    given = {
        "table": "sales",
        "job": "@last",
        "file": "sales.csv",
        "path": str(data / "sales.csv"),
        "query": "SELECT * FROM sales",
        "contract": "sales",
        "subject": "sales.csv",
        "parser": "delimited",
        "to": str(tmp_path / "out.csv"),
        "sink": f"parquet://{home.path}",
        "source": str(data),
        "snapshot": "@last",
        "before": "1",
        "after": "1",
    }
    asked: list[str] = []
    control = Control(partial(watched_reading, home, asked), pytest.fail)
    before = dump(home)
    answered = 0
    for operation in openapi.remote_operations():
        if operation.effect is Effect.READ:
            try:
                control.ask(operation.name, minimal(operation.request, given))
            except CasparianError:
                continue
            answered += 1
    assert answered > 25
    writes = [
        line for line in asked if line.split()[0].upper() not in ("SELECT", "BEGIN", "PRAGMA", "WITH", "ROLLBACK", "--")
    ]
    assert writes == []
    assert dump(home) == before


@contextmanager
def watched_reading(home: Home, asked: list[str]) -> Iterator[Any]:
    with open_reading(home, Settings(), home.path) as reading:
        raw = driver_of(reading.connection)
        raw.set_trace_callback(asked.append)
        assert raw.execute("PRAGMA query_only").fetchone() is not None
        yield reading


def driver_of(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def dump(home: Home) -> list[str]:
    database = Database(home.state)
    try:
        return list(database.driver.iterdump())
    finally:
        database.close()
