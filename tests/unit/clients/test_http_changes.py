"""Changes are done once for their key, and only to what the asker saw."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api_service import Api, a_control, running_api
from casparian_flow.clients.control import unheard
from casparian_flow.clients.signing import made_signer
from casparian_flow.core.errors import HomeBusy
from casparian_flow.core.proposals import Decision
from casparian_flow.operations.doing.service.doorkeeper import Answered
from casparian_flow.operations.registry import Reply, Request
from casparian_flow.store import requests as store
from casparian_flow.worker.surroundings import user_name
from product import ProductHere

RULE = {"pattern": "*.csv", "tag": "sales"}


class CountingDoor:
    """The embedded door, which counts, and can be told to stop before it does something or to fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails: list[Exception] = []
        self.home: Any = None

    def __call__(self, asker: Any) -> Any:
        self._inner = a_control(self.home, asker)
        return self

    def ask(self, name: str, request: Request, report: Any = unheard) -> Reply:
        if name == "status":
            return self._inner.ask(name, request, report)
        self.asked.append(name)
        self.begun.set()
        assert self.go_on.wait(20)
        if self.fails:
            raise self.fails.pop()
        return self._inner.ask(name, request, report)

    def attempt(self, name: str, request: Request) -> Reply:
        return self._inner.attempt(name, request)


@contextmanager
def counted(folder: Path) -> Iterator[tuple[Api, CountingDoor]]:
    door = CountingDoor()
    with running_api(folder, door) as api:
        door.home = api.home
        yield api, door


def test_the_same_request_is_not_done_again_even_after_a_restart(tmp_path: Path) -> None:
    with counted(tmp_path) as (api, door):
        first = api.change("/v1/rules/add", RULE, "k")
        assert api.change("/v1/rules/add", {"tag": "sales", "pattern": "*.csv"}, "k").body == first.body
        assert door.asked == ["rules.add"]
    with counted(tmp_path) as (api, door):
        assert api.change("/v1/rules/add", RULE, "k").body == first.body
        assert door.asked == []
        assert api.change("/v1/rules/add", RULE, "other").json["detail"] == "there is such a rule already"


def test_a_key_that_comes_back_with_another_request_is_refused(tmp_path: Path) -> None:
    with counted(tmp_path) as (api, door):
        api.change("/v1/rules/add", RULE, "k")
        for path, body in (("/v1/rules/add", {**RULE, "tag": "b"}), ("/v1/rules/remove", {"rule": 1})):
            said = api.change(path, body, "k")
            assert (said.status, said.json["code"]) == (422, "key-reused")
        assert door.asked == ["rules.add"]


def test_while_a_change_is_being_done_its_key_is_in_use(tmp_path: Path) -> None:
    with counted(tmp_path) as (api, door):
        door.go_on.clear()
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(api.change("/v1/rules/add", RULE, "k")))
        thread.start()
        assert door.begun.wait(20)
        said = api.change("/v1/rules/add", RULE, "k")
        assert (said.status, said.json["code"], said.json["why"]) == (409, "key-in-use", "")
        assert api.get("/v1/status").status == 200
        door.go_on.set()
        thread.join(20)
        assert api.change("/v1/rules/add", RULE, "k").body == answers[0].body
        assert door.asked.count("rules.add") == 1


def test_a_change_that_was_broken_off_is_not_done_a_second_time(tmp_path: Path) -> None:
    with counted(tmp_path) as (api, door):
        doorkeeper = api.service.gate.doorkeeper
        api.change("/v1/rules/add", RULE, "k")
        with doorkeeper._changing() as connection:
            connection.exec_driver_sql("UPDATE cf_requests SET status = NULL, reply = NULL")
        said = api.change("/v1/rules/add", RULE, "k")
        assert (said.status, said.json["code"]) == (409, "key-in-use")
        assert "how far it came is not known" in said.json["why"]
        assert door.asked == ["rules.add"]


def test_where_another_try_can_help_the_key_may_be_used_again(tmp_path: Path) -> None:
    with counted(tmp_path) as (api, door):
        door.fails = [HomeBusy("another process works in this home")]
        assert api.change("/v1/rules/add", RULE, "k").status == 409
        assert api.change("/v1/rules/add", RULE, "k").status == 200
        door.fails = [ValueError("a bug")]
        broken = api.change("/v1/rules/add", {**RULE, "tag": "c"}, "l")
        assert (broken.status, broken.json["code"]) == (500, "crash")
        assert b"ValueError" not in broken.body and b"Traceback" not in broken.body
        assert api.change("/v1/rules/add", {**RULE, "tag": "c"}, "l").body == broken.body


def test_keys_are_forgotten_after_a_day_and_never_more_than_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(tmp_path) as (api, _door):
        doorkeeper = api.service.gate.doorkeeper
        for number in range(20):
            assert doorkeeper.begin(f"k{number}", "d") is None
            doorkeeper.finish(f"k{number}", Answered(200, b"x" * number))
        day = store.LIFETIME_NS
        with doorkeeper._changing() as connection:
            connection.exec_driver_sql(f"UPDATE cf_requests SET asked_at_ns = asked_at_ns - {day} WHERE key < 'k15'")
            before = connection.exec_driver_sql("SELECT count(*) FROM cf_requests").scalar()
            store.sweep(connection, doorkeeper._clock())
            left = connection.exec_driver_sql("SELECT key FROM cf_requests ORDER BY key").scalars().all()
        assert before == 20
        assert left == ["k15", "k16", "k17", "k18", "k19"] + [f"k{n}" for n in range(2, 10)]


def test_a_change_needs_a_key_unless_it_is_only_tried(tmp_path: Path) -> None:
    with counted(tmp_path) as (api, _door):
        said = api.ask("POST", "/v1/rules/add", RULE)
        assert (said.status, said.json["where"]) == (400, "Idempotency-Key")
        assert api.ask("POST", "/v1/rules/add?dry_run=true", RULE).status == 200
        assert api.get("/v1/rules/list").json["rules"] == []
        assert api.ask("POST", "/v1/scan?dry_run=true", {}).status == 422
        for key in ("", "x" * 201, "a\x7f"):
            assert api.change("/v1/rules/add", RULE, key).status == 400


def test_one_asker_does_not_learn_what_another_asked(tmp_path: Path) -> None:
    with counted(tmp_path) as (api, door):
        secret = api.change("/v1/token/add", {"name": "t", "scopes": ["operate"]}, "t").json["secret"]
        api.change("/v1/rules/add", RULE, "k")
        far = api.change("/v1/rules/add", RULE, "k", tcp=True, headers={"Authorization": f"Bearer {secret}"})
        assert "Idempotency-Replayed" not in far.headers
        assert door.asked.count("rules.add") == 2


def test_a_contract_is_approved_only_as_it_was_seen(product_here: ProductHere, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("id,amount\n1,2.5\n")
    product_here("run", str(tmp_path / "sales.csv"), "--set", "governance.first_contract=hold", expect=[4])
    with running_api(tmp_path) as api:
        shown = api.get("/v1/contract/show?contract=sales")
        tag, number = shown.headers["ETag"], shown.json["contract"]["id"]
        assert tag == f'"{shown.json["state_version"]}"'
        proposal = api.get(f"/v1/approval/show?proposal={shown.json['proposal']}").json
        signer = made_signer(tmp_path / "approver.key")
        assert api.change("/v1/key/add", {"public": b64encode(signer.public).decode()}, "k").status == 200
        signed = signer.sign(
            home=proposal["home"],
            proposal=shown.json["proposal"],
            digest=proposal["digest"],
            decision=Decision.APPROVE,
            actor=user_name(),
            reason="",
        )
        body = {
            "contract": number,
            "digest": proposal["digest"],
            "at": signed.at_ns,
            "key": signed.key,
            "signature": b64encode(signed.signature).decode(),
        }
        assert api.change("/v1/contract/approve", body, "a").status == 428
        old = api.change("/v1/contract/approve", body, "b", headers={"If-Match": '"proposed-0"'})
        assert (old.status, old.json["code"]) == (412, "version-changed")
        for bad in ("proposed", '"a", "b"', 'W/"a"', '""'):
            assert api.change("/v1/contract/approve", body, "c", headers={"If-Match": bad}).status == 400
        assert api.change("/v1/contract/approve", body, "d", headers={"If-Match": tag}).status == 200
        assert api.change("/v1/contract/approve", body, "e", headers={"If-Match": tag}).status == 412
        assert api.get("/v1/contract/show?contract=sales").headers["ETag"] != tag
        assert api.get("/v1/jobs/show?job=@last").headers["ETag"] == '"1-rejected"'
