"""An invitation from the command that prints it to the worker that joins with it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Thread

import pytest

from casparian_flow.core.errors import WorkerRefused
from casparian_flow.core.times import parse_span
from casparian_flow.protocol.invitation import invitation_of
from casparian_flow.protocol.joining import join
from casparian_flow.protocol.keys import sentinel_keys
from casparian_flow.protocol.zmq_router import ZmqRouter
from casparian_flow.sentinel.queue.admission import Admission
from casparian_flow.settings import Home
from casparian_flow.store import admission
from casparian_flow.store.database import Database
from known_workers import ANYWHERE
from product import ask_here


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("CASPARIAN_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home")


class Listening(Thread):
    """The sentinel's end with the store behind it, until it is told to end."""

    def __init__(self, home: Home) -> None:
        super().__init__()
        self.home = home
        self.address = ""
        self.is_over = False
        self.start()
        until = time.monotonic() + 20
        while not self.address:
            assert time.monotonic() < until
            time.sleep(0.005)

    def run(self) -> None:
        database = Database(self.home.state)
        keys = sentinel_keys(self.home.keys)
        router = ZmqRouter([ANYWHERE], keys=keys, register=Admission(database, time.time_ns))
        self.address = router.endpoints[0].removeprefix("tcp://")
        while not self.is_over:
            router.receive(0.05)
        router.close()
        database.close()

    def end(self) -> None:
        self.is_over = True
        self.join()


def invited(tmp_path: Path, *words: str) -> dict[str, str]:
    answer = ask_here("worker", "invite", *words, "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    reply = json.loads(answer.out)
    assert reply["schema"] == "casparian.worker.invitation/1"
    return reply


def test_a_worker_joins_with_what_the_command_printed_once(home: Home, tmp_path: Path) -> None:
    home.path.mkdir(mode=0o700)
    listening = Listening(home)
    try:
        reply = invited(tmp_path, "--name", "w1", "--address", listening.address)
        invitation = invitation_of(reply["invitation"])
        assert (invitation.worker, invitation.endpoint) == ("w1", f"tcp://{listening.address}")
        member = join(tmp_path / "w1.key", invitation, host="there")
        with pytest.raises(WorkerRefused):
            join(tmp_path / "w2.key", invitation, host="elsewhere")
        database = Database(home.state)
        assert admission.worker_of_key(database.connection, member.keys.public) == "w1"
        database.close()
    finally:
        listening.end()


def test_the_secret_of_an_invitation_is_kept_nowhere(home: Home, tmp_path: Path) -> None:
    reply = invited(tmp_path, "--address", "host:7077")
    secret = invitation_of(reply["invitation"]).secret
    kept = [path for path in home.path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert kept == []
    assert reply["worker"].startswith("worker-")
    assert reply["server_key"] == sentinel_keys(home.keys).public


def test_without_an_address_the_sentinel_that_runs_says_where_it_listens(home: Home, tmp_path: Path) -> None:
    answer = ask_here("worker", "invite", cwd=tmp_path)
    assert (answer.code, "listens for workers" in answer.err) == (2, True)
    home.path.mkdir(exist_ok=True)
    said = {"pid": 1, "started": "", "product": "", "control": "", "workers": ["ipc:///x", "tcp://10.0.0.1:7077"]}
    home.sentinel.write_text(json.dumps(said))
    assert invited(tmp_path)["address"] == "10.0.0.1:7077"
    home.sentinel.write_text(json.dumps(said | {"workers": ["tcp://0.0.0.0:7077"]}))
    assert not invited(tmp_path)["address"].startswith("0.0.0.0")


@pytest.mark.parametrize(
    "words",
    [["--name", "-bad-"], ["--name", "a b"], ["--valid", "soon"], ["--valid", "31d"], ["--valid", "0s"],
     ["--address", "host"], ["--address", "0.0.0.0:7"], ["--address", "host:0"], ["--address", "host:70000"]],
)  # fmt: skip
def test_what_cannot_be_an_invitation_is_refused(home: Home, tmp_path: Path, words: list[str]) -> None:
    given = words if "--address" in words else [*words, "--address", "host:7077"]
    assert ask_here("worker", "invite", *given, cwd=tmp_path).code == 2


def test_a_span_of_time_is_seconds() -> None:
    assert [parse_span(text) for text in ("90s", "15m", "1h", "7d")] == [90, 900, 3600, 604_800]
