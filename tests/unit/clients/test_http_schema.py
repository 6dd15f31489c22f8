"""The service does what its own document says: requests made from it are answered as it promises."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from api_service import Api, a_control, running_api
from casparian_flow.clients.control import unheard
from casparian_flow.clients.http import openapi
from casparian_flow.operations.registry import Reply, Request
from casparian_flow.settings import Home
from product import ProductHere

FILES = {"path", "paths", "to", "files", "folder", "cases", "parser", "uri", "sink", "sinks", "contract"}
"""Fields whose words are taken as files: here always as one of a few small ones."""
SLOW = {"sql", "tables.profile", "parser.test", "preview", "infer"}
"""Each starts a process."""
EXAMPLES = 3
NEVER_SENT = {"service.events"}
"""It has no end."""


@dataclass(frozen=True)
class FencedDoor:
    """The embedded door, behind which no word names a file outside one folder."""

    inner: Any
    folder: Path

    def ask(self, name: str, request: Request, report: Any = unheard) -> Reply:
        return self.inner.ask(name, self._fenced(request), report)  # type: ignore[no-any-return]

    def attempt(self, name: str, request: Request) -> Reply:
        return self.inner.attempt(name, self._fenced(request))  # type: ignore[no-any-return]

    def _fenced(self, request: Any) -> Any:
        changed = {}
        for name in request.__struct_fields__:
            value = getattr(request, name)
            if isinstance(value, msgspec.Struct):
                changed[name] = self._fenced(value)
            elif name in FILES and isinstance(value, str):
                changed[name] = self._inside(value)
            elif name in FILES and isinstance(value, tuple):
                changed[name] = tuple(map(self._inside, value))
        return msgspec.structs.replace(request, **changed)

    def _inside(self, word: str) -> str:
        number = hashlib.sha256(word.encode()).digest()[0] % 4
        return str(self.folder / ("sales.csv", "log.jsonl", "missing.csv", "")[number])


@pytest.fixture
def api(product_here: ProductHere, tmp_path: Path) -> Iterator[Api]:
    """A service over a home in which something happened."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "sales.csv").write_text("id,amount\n1,2.5\nx,4\n")
    (folder / "log.jsonl").write_text('{"a": 1}\n{"a": "b"}\n')
    product_here("run", str(folder), expect=(0, 3))
    home = product_here.home
    with running_api(home.parent, lambda asker: FencedDoor(a_control(Home(home), asker), folder)) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_operation_is_as_documented(api: Api, mode: str) -> None:
    import schemathesis  # half a second that no other test needs
    from schemathesis.specs.openapi.checks import negative_data_rejection

    secret = api.change("/v1/token/add", {"name": "schema", "scopes": ["admin"]}, "schema").json["secret"]
    schema = schemathesis.openapi.from_dict(openapi.document(openapi.remote_operations()))
    schema.config.update(base_url=f"http://127.0.0.1:{api.port}", headers={"Authorization": f"Bearer {secret}"})
    # What fits its schema may still ask for what cannot be: SQL with a fault in it, a name that is no name.
    schema.config.checks.positive_data_acceptance.expected_statuses = ["2xx", "404", "409", "412", "422", "503"]
    sent, troubles, answers = 0, [], []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] in NEVER_SENT:
            continue

        @settings(
            max_examples=1 if operation.definition.raw["operationId"].removesuffix(".get") in SLOW else EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def ask(case: Any) -> None:
            nonlocal sent
            sent += 1
            answers.append(case.call(timeout=60))
            # What is only tried changes nothing, and may do without the key that every change needs.
            is_tried = "Idempotency-Key" not in (case.headers or {}) and (case.query or {}).get("dry_run") == "true"
            case.validate_response(answers[-1], excluded_checks=[negative_data_rejection] if is_tried else [])

        try:
            ask()
        except Unsatisfiable:  # nothing can be asked of it that does not fit
            continue
        except (Exception, BaseExceptionGroup) as exc:
            troubles += [f"{operation.label}: {each}" for each in getattr(exc, "exceptions", [exc])]
            troubles += [f"{said.status_code} {said.text}" for said in answers[-1:]]
    assert not troubles, "\n\n".join(troubles)
    assert sent > 150
