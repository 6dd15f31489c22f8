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
