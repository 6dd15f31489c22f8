"""A sentinel in a process of its own: commands ask it, and what it leaves is what an embedded run leaves."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from casparian_flow.guest.family import children_of
from product import SOURCE, Product, ProductHere

SECONDS = 60.0


def wait_for(holds: Callable[[], object], why: str) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, why
        time.sleep(0.02)


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """Who asks is this process, which takes a fraction of the time; sentinels and workers are processes."""
    return product_here


def jobs(product: Product, state: str) -> int:
    """How many jobs are in that state, as the home says, whoever holds it."""
    with closing(sqlite3.connect(product.home / "state.sqlite3", timeout=SECONDS)) as database:
        [(found,)] = database.execute("SELECT count(*) FROM cf_jobs WHERE state = ?", [state])
    return int(found)


def holder(product: Product) -> int | None:
    """The process that says it is the sentinel of the home."""
    try:
        return int(json.loads((product.home / "sentinel.json").read_text())["pid"])
    except FileNotFoundError:
        return None


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def sentinel(product: Product, *words: str, verb: str = "start", workers: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A sentinel that takes requests, gone at the end."""
    process = product.start(verb, "--workers", str(workers), *words)
    try:
        wait_for(lambda: holder(product) == process.pid or process.poll() is not None, "no sentinel")
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.terminate()  # one that is killed leaves the folder of its sockets to the next
        try:
            process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextmanager
def worker(product: Product, name: str = "w1") -> Iterator[subprocess.Popen[str]]:
    """A worker of that sentinel, gone at the end."""
    keys = product.home.parent / "keys"
    process = product.start("worker", "run", "--join", str(product.home), "--name", name, "--keys", str(keys))
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(4):
        rows = "".join(f"{row},{row}.{number}\n" for row in range(number * 10, number * 10 + 8))
        (folder / f"sales-{number}.csv").write_text(f"id,amount\n{rows}{'x,y' if number == 3 else '9,9.5'}\n")
    (folder / "notes.txt").write_text("one line\nanother\n")
    return folder


def test_a_sentinel_does_with_its_own_worker_what_it_is_asked_until_it_is_stopped(product: Product, tmp_path: Path):
    (tmp_path / "sales.csv").write_text("id,amount\n1,2.5\n2,3.5,too,many\n")
    with sentinel(product, workers=1) as process:
        reply = product.run(str(tmp_path / "sales.csv"), "--server")
        assert (reply["completed"], reply["accepted"], reply["quarantined"]) == (1, 1, 1)
        assert product("stop", "--json", expect=[0]).json["pid"] == process.pid
        assert process.wait(SECONDS) == 0
    assert product.table("sales")["amount"].to_pylist() == [2.5]
    assert not (product.home / "sentinel.json").exists()


@pytest.mark.slow
def test_a_run_through_a_sentinel_leaves_what_an_embedded_one_leaves(product: Product, data: Path, tmp_path: Path):
    embedded = ProductHere(tmp_path / "other" / "home")
    embedded.home.parent.mkdir()
    expected = embedded.run(str(data))
    with sentinel(product) as process, worker(product):
        reply = product.run(str(data))
        kept = ("completed", "failed", "accepted", "quarantined", "outcome", "files", "run")
        assert {name: reply[name] for name in kept} == {name: expected[name] for name in kept}
        assert len(product("jobs", "--json", expect=[0]).json["jobs"]) == reply["completed"]
        assert product.run(str(data))["run"] == 0

        busy = product("start", expect=[6])
        assert "home-busy" in busy.err and str(process.pid) in busy.err
        busy = product("scan", str(data), "--embedded", expect=[6])
        assert str(process.pid) in busy.err

        ended = product("stop", "--drain", "--json", expect=[0]).json
        assert (ended["pid"], process.wait(SECONDS)) == (process.pid, 0)
    assert product.content() == embedded.content()
    assert not (product.home / "sentinel.json").exists()
    assert product("jobs", "--server", expect=[6]).err.startswith("error[sentinel-missing]")
    assert product.run(str(data))["run"] == 0


@pytest.mark.slow
def test_what_a_killed_sentinel_left_open_is_taken_up_by_the_next(product: Product, data: Path):
    with sentinel(product) as process:
        asking = product.start("run", str(data))
        wait_for(lambda: jobs(product, "queued"), "nothing was queued")
        queued = jobs(product, "queued")
        process.kill()
        out, err = asking.communicate(timeout=SECONDS)
        assert (asking.returncode, out) == (6, "")
        assert "connection-lost" in err
    assert (product.home / "sentinel.json").exists()
    assert product("status", "--json", expect=[0]).json["holder"] is None
    with sentinel(product) as process, worker(product):
        wait_for(lambda: jobs(product, "completed") == queued, "jobs stay open")
        product("stop", expect=[0])
        assert process.wait(SECONDS) == 0
    embedded = ProductHere(product.home.parent / "other" / "home")
    embedded.home.parent.mkdir()
    embedded.run(str(data))
    assert product.content() == embedded.content()


@pytest.mark.slow
def test_who_stops_watching_a_run_leaves_it_running(product: Product, data: Path):
    with sentinel(product):
        asking = product.start("run", str(data), "--progress", "jsonl")
        wait_for(lambda: jobs(product, "queued"), "nothing was queued")
        queued = jobs(product, "queued")
        asking.send_signal(signal.SIGINT)
        _, err = asking.communicate(timeout=SECONDS)
        assert asking.returncode == 130
        assert "goes on" in err
        with worker(product):
            wait_for(lambda: jobs(product, "completed") == queued, "the run ended with it")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_sentinel_in_order_and_a_hangup_does_not(product: Product, number: signal.Signals):
    with sentinel(product, "-v") as process:
        process.send_signal(signal.SIGHUP)
        assert product("jobs", "--server").code == 0
        process.send_signal(number)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "sentinel.ended" in err and not (product.home / "sentinel.json").exists()
    assert all(line.startswith("{") for line in err.splitlines()[:1])


@pytest.mark.slow
def test_a_detached_sentinel_says_how_to_stop_it_and_outlives_its_shell(product: Product):
    started = Product(product.home)("start", "--workers", "0", "--detach", "--json", expect=[0]).json
    try:
        assert is_alive(started["pid"])
        assert os.getsid(started["pid"]) != os.getsid(0)
        again = product("start", "--workers", "0", "--detach", expect=[6])
        assert "home-busy" in again.err and str(started["pid"]) in again.err
    finally:
        product("stop", expect=[0])
    assert not is_alive(started["pid"])
    assert "sentinel.ended" in Path(started["log"]).read_text()


@pytest.mark.slow
def test_a_file_that_is_asked_for_is_written_by_whoever_asks(product: Product, data: Path, tmp_path: Path):
    product.run(str(data))
    with sentinel(product):
        product("export", "sales", "--to", "out.csv", cwd=tmp_path, expect=[0])
        assert (tmp_path / "out.csv").read_text().count("\n") > 30
        shown = product("export", "sales", "--to", "-", "--format", "csv", expect=[0])
        assert shown.out.count("\n") > 30


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


@pytest.mark.slow
def test_another_machine_asks_over_tls_with_a_token_and_only_what_it_may(product: Product, tmp_path: Path):
    cert, key = certificate(tmp_path)
    words = ("--listen", "127.0.0.1:0", "--name", "localhost", "--tls-cert", str(cert), "--tls-key", str(key))
    elsewhere = Product(tmp_path / "elsewhere" / "home")
    elsewhere.home.parent.mkdir()

    def ask(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "casparian_flow", "--home", str(elsewhere.home), *words],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(SOURCE), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    with sentinel(product, *words, verb="serve"):
        url = json.loads((product.home / "sentinel.json").read_text())["api"]
        secret = product("token", "add", "ann", "--scope", "read", "--json", expect=[0]).json["secret"]
        known = {"CASPARIAN_SERVER": url, "CASPARIAN_TOKEN": secret, "CASPARIAN_TLS_CA": str(cert)}
        shown = ask("status", "--json", **known)
        assert (shown.returncode, json.loads(shown.stdout)["home"]) == (0, str(product.home)), shown.stderr
        refused = ask("tags", "add", "x", "a.csv", **known)
        assert "error[scope-missing]" in refused.stderr
        unknown = ask("status", **{**known, "CASPARIAN_TOKEN": "no"})
        assert "error[unauthenticated]" in unknown.stderr
        distrusted = ask("status", "--server-url", url, CASPARIAN_TOKEN=secret)
        assert "error[connection-lost]" in distrusted.stderr and "CASPARIAN_TLS_CA" in distrusted.stderr
        assert not elsewhere.home.exists()


@pytest.mark.slow
def test_an_api_that_others_reach_needs_tls(product: Product):
    refused = product("serve", "--listen", "0.0.0.0:0", expect=[2])
    assert "--tls-cert" in refused.err
    assert not (product.home / "sentinel.json").exists()


SLOW = """
import time
from casparian_flow.sdk import PluginMetadata

MANIFEST = PluginMetadata(pattern="*.slow", outputs={})

def parse(path):
    mark = path.with_suffix(".begun")
    mark.touch()
    while not path.with_suffix(".done").exists():
        time.sleep(0.02)
    yield "slow", [{"name": path.name}]
"""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A folder beside a parser that begins with each file, and ends when it is told to."""
    folder = tmp_path / "slow"
    folder.mkdir()
    (tmp_path / "waits.py").write_text(SLOW)
    return folder


@contextmanager
def running_slowly(product: Product, slow: Path, *names: str) -> Iterator[subprocess.Popen[str]]:
    """A run of such files, each of which has begun or waits for a slot."""
    for name in names:
        (slow / f"{name}.slow").write_text(name)
    process = product.start("run", str(slow), "--parser", str(slow.parent / "waits.py"), "--json")
    try:
        wait_for(lambda: list(slow.glob("*.begun")) or process.poll() is not None, "no file was begun")
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_job_is_cancelled_while_it_runs_and_the_run_says_so(product: Product, slow: Path) -> None:
    with sentinel(product), worker(product), running_slowly(product, slow, "a") as run:
        job = product("jobs", "--json", expect=[0]).json["jobs"][0]["job"]
        version = product("jobs", "show", job, "--json", expect=[0]).json["job"]["version"]
        stale = product("jobs", "cancel", job, "--if-version", "0-queued", expect=[1])
        assert stale.err.startswith("error[version-changed]")
        tried = product("jobs", "cancel", job, "--dry-run", "--json", expect=[0]).json["cancelled"][0]
        assert (tried["outcome"], jobs(product, "running")) == ("stopping", 1)
        ended = product("jobs", "cancel", job, "--wait", "--if-version", version, "--json", expect=[0])
        assert ended.json["cancelled"][0]["outcome"] == "aborted"
        out, err = run.communicate(timeout=SECONDS)
        assert (run.returncode, json.loads(out)["aborted"]) == (8, 1), err
    assert product.tables() == []


@pytest.mark.slow
def test_a_worker_that_is_drained_finishes_and_is_given_nothing_more_and_may_then_be_removed(
    product: Product, slow: Path
) -> None:
    with sentinel(product), worker(product, "first"), running_slowly(product, slow, "a") as run:
        drained = product("worker", "drain", "first", "--json", expect=[0]).json["worker"]
        assert (drained["state"], drained["jobs"]) == ("draining", 1)
        with running_slowly(product, slow, "b") as other:
            wait_for(lambda: jobs(product, "queued") == 1, "the second file was not queued")
            (slow / "a.done").touch()
            (slow / "b.done").touch()
            out, err = run.communicate(timeout=SECONDS)
            assert (run.returncode, json.loads(out)["completed"]) == (0, 1), err
            assert (jobs(product, "queued"), list(slow.glob("b.begun"))) == (1, [])
            product("worker", "remove", "first", "--yes", expect=[0])
            listed = product("worker", "list", "--json", expect=[0]).json["workers"]
            assert [each["state"] for each in listed] in ([], ["gone"])
            with worker(product, "second"):
                out, err = other.communicate(timeout=SECONDS)
            assert (other.returncode, json.loads(out)["completed"]) == (0, 1), err
    assert sorted(product.table("slow")["name"].to_pylist()) == ["a.slow", "b.slow"]


@pytest.mark.slow
def test_a_watch_is_followed_where_a_sentinel_keeps_it_and_goes_on_when_nobody_looks(product: Product, data: Path):
    with sentinel(product), worker(product):
        following = product.start("run", str(data), "--watch", "--settle", "0.1", "--format", "jsonl")
        assert following.stdout is not None
        first = json.loads(following.stdout.readline())
        assert (first["schema"], first["number"], first["run"]["completed"]) == ("casparian.watch.round/1", 1, 5)
        (data / "later.csv").write_text("id,amount\n100,1.5\n")
        second = json.loads(following.stdout.readline())
        assert (second["number"], second["run"]["completed"]) == (2, 1)
        following.send_signal(signal.SIGINT)
        out, err = following.communicate(timeout=SECONDS)
        assert (following.returncode, json.loads(out)["rounds"]) == (0, 2), err
        assert "goes on with watch 1" in err
        assert [each["watch"] for each in product("watch", "list", "--json", expect=[0]).json["watches"]] == [1]


@pytest.mark.slow
def test_a_query_outlives_a_worker_and_does_not_keep_a_sentinel_from_ending(product: Product) -> None:
    with sentinel(product, workers=1) as process:
        wait_for(lambda: worker_pids(product), "no worker joined")
        before = children_of(process.pid)
        endless = "SELECT count(*) FROM range(2000000000000) t(i) WHERE hash(i) % 7 = 1"
        asking = product.start("sql", endless)
        wait_for(lambda: children_of(process.pid) - before, "the query was not begun")
        killed = worker_pids(product)
        os.kill(killed[0], signal.SIGKILL)
        wait_for(lambda: set(worker_pids(product)) - set(killed), "the worker was not started again")
        assert asking.poll() is None, asking.communicate()
        product("stop", expect=[0])
        assert process.wait(SECONDS) == 0
        _, err = asking.communicate(timeout=SECONDS)
    assert (asking.returncode, err.splitlines()[0].partition(":")[0]) == (6, "error[sentinel-stopped]")


def worker_pids(product: Product) -> list[int]:
    listed = product("worker", "list", "--json", expect=[0]).json["workers"]
    return [each["pid"] for each in listed if each["state"] == "present"]
