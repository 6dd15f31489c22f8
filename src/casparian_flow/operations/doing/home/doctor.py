"""How what `operations.home.doctor` names is done."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from casparian_flow import __version__
from casparian_flow.core.contract_text import verified
from casparian_flow.core.contracts import ContractState
from casparian_flow.core.errors import CasparianError, VerificationFailed
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Acting
from casparian_flow.operations.home import machine
from casparian_flow.operations.home.doctor import Check, Diagnosis, Examine, Health, Mend, Mended, Mending, Recover
from casparian_flow.operations.local import Local
from casparian_flow.settings import load
from casparian_flow.store.engine import open_read_only
from casparian_flow.store.views import contracts, health

LIBRARIES = ("alembic", "blake3", "click", "duckdb", "evtx", "msgspec", "numpy", "orjson", "pyarrow", "sqlalchemy")
LITTLE_SPACE = 2 << 30
NO_SPACE = 200 << 20
OWNER_ONLY = 0o700
HOUR_NS = 3600 * 1_000_000_000
RELEASED_NS = 1_767_225_600 * 1_000_000_000
"""2026-01-01: a clock before that is wrong."""


Finding = tuple[Health, str, str]


def examine(local: Local, _request: Examine) -> Diagnosis:
    """Look at everything; a check that cannot be made is a finding, not an error."""
    checks = [
        Check(check=name, health=health_, found=found, fix=fix)
        for name, function in CHECKS.items()
        for health_, found, fix in function(local)
    ]
    worst = max((check.health for check in checks), key=list(Health).index)
    return Diagnosis(health=worst, checks=checks)


def mend(local: Local, _request: Mend) -> Mending:
    """Close the home to others and open it to its owner; whatever else is wrong is left for a person."""
    done = []
    for name, path in (("home", local.home.path), ("staging", local.home.staging)):
        if not path.is_dir() or path.stat().st_uid != os.geteuid():
            continue
        mode = path.stat().st_mode & 0o777
        if mode != OWNER_ONLY:
            path.chmod(OWNER_ONLY)
            done.append(Mended(check=name, done=f"chmod 700 {path} (was {mode:o})"))
    return Mending(mended=done)


def recover(acting: Acting, _request: Recover) -> Mending:
    """Say what opening the home put right: commits that were cut short, entries that were left in staging."""
    found = acting.recovered
    counts = (
        ("database", found.rolled_forward, "interrupted commits finished"),
        ("database", found.abandoned, "interrupted jobs ended"),
        ("staging", found.swept_files, "files that were left behind removed"),
    )
    return Mending(mended=[Mended(check=check, done=f"{count} {what}") for check, count, what in counts if count])


def _version(_local: Local) -> Iterator[Finding]:
    yield Health.OK, f"casparian {__version__}, python {platform.python_version()}, {platform.platform()}", ""


def _libraries(_local: Local) -> Iterator[Finding]:
    found, absent = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            absent.append(name)
    if absent:
        yield Health.FAIL, f"not installed: {', '.join(absent)}", f"{sys.executable} -m pip install casparian-flow"
    yield Health.OK, ", ".join(found), ""


def _user(_local: Local) -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Health.WARN, "running as root: parsers are caged, but root can do more", "run as an ordinary user"
    else:
        yield Health.OK, "an ordinary user", ""


def _home(local: Local) -> Iterator[Finding]:
    path = local.home.path
    if not path.exists():
        yield Health.OK, f"{path} does not exist yet", ""
        return
    if not path.is_dir():
        yield Health.FAIL, f"{path} is not a folder", "name another home with --home DIR"
        return
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        yield Health.WARN, f"{path} can be read by others (mode {mode:o})", "casparian doctor --fix"
    elif not os.access(path, os.W_OK):
        yield Health.WARN, f"{path} cannot be written", "name another home with --home DIR"
    else:
        yield Health.OK, str(path), ""


def _settings(local: Local) -> Iterator[Finding]:
    try:
        _, origins = load(local.home, local.env, local.overrides, case=local.case)
    except CasparianError as exc:
        yield Health.FAIL, " ".join(filter(None, (exc.message, exc.where, exc.why))), exc.fix
        return
    changed = sum(origin != "default" for origin in origins.values())
    yield Health.OK, f"{changed} of {len(origins)} settings changed", ""


def _lock(local: Local) -> Iterator[Finding]:
    holder = machine.lock_holder(local.home.lock)
    yield Health.OK, "free" if holder is None else f"held by {holder}", ""


def _space(local: Local) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(local.home.path)).free
    words = f"{free / 1e9:.1f} GB free"
    if free < NO_SPACE:
        yield Health.FAIL, words, "make room, or name a home on another disk with --home DIR"
    elif free < LITTLE_SPACE:
        yield Health.WARN, words, "make room before the next run"
    else:
        yield Health.OK, words, ""


def _file_system(local: Local) -> Iterator[Finding]:
    kind = machine.file_system(_existing(local.home.path))
    if kind in machine.NETWORK_FILE_SYSTEMS:
        yield Health.WARN, f"{kind}: locks over a network are not reliable", "keep the home on a local disk"
    else:
        yield Health.OK, kind or "unknown", ""


def _clock(local: Local) -> Iterator[Finding]:
    if local.now_ns < RELEASED_NS:
        yield Health.WARN, f"the clock says {rfc3339(local.now_ns)}", "set the clock: times become evidence"
    else:
        yield Health.OK, rfc3339(local.now_ns), ""


def _database(local: Local) -> Iterator[Finding]:
    path = local.home.state
    if not path.exists():
        yield Health.OK, "not made yet", ""
        return
    try:
        with open_read_only(path) as connection:
            damage = health.damage(connection)
            if damage:
                yield Health.FAIL, "; ".join(damage), "restore the home from a copy; tables can still be read"
            elif not health.has_expected_schema(connection):
                yield (
                    Health.FAIL,
                    "its tables are not those of this version",
                    "upgrade casparian-flow, or restore a copy",
                )
            else:
                yield Health.OK, "sound, with the expected tables", ""
                newest = health.newest_job_ns(connection) or 0
                if newest > local.now_ns + HOUR_NS:
                    yield Health.WARN, f"a job is from the future: {rfc3339(newest)}", "set the clock"
                yield from _commits(local, health.count_unrecorded(connection))
                yield from _contracts(connection)
    except (SQLAlchemyError, CasparianError) as exc:
        yield Health.FAIL, f"cannot be read: {str(exc).splitlines()[0]}", "restore the home from a copy"


def _commits(local: Local, unrecorded: int) -> Iterator[Finding]:
    if not unrecorded:
        return
    if machine.lock_holder(local.home.lock) is None:
        yield Health.WARN, f"{unrecorded} commits were cut short", "casparian doctor --fix"
    else:
        yield Health.OK, f"{unrecorded} commits are under way", ""


def _contracts(connection: Connection) -> Iterator[Finding]:
    """Contracts that demand something else than when they were put there."""
    for row in contracts.list_contracts(connection, tuple(ContractState)):
        try:
            verified(row["body"], row["hash"])
        except VerificationFailed as exc:
            yield Health.FAIL, exc.message, exc.fix


def _staging(local: Local) -> Iterator[Finding]:
    try:
        left = len(list(local.home.staging.iterdir()))
    except FileNotFoundError:
        left = 0
    except OSError as exc:
        yield Health.FAIL, f"cannot be listed: {exc.strerror}", "casparian doctor --fix"
        return
    if left and machine.lock_holder(local.home.lock) is None:
        yield Health.WARN, f"{left} entries were left behind", "casparian doctor --fix"
    else:
        yield Health.OK, f"{left} entries in use" if left else "empty", ""


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


CHECKS: dict[str, Callable[[Local], Iterator[Finding]]] = {
    "version": _version,
    "libraries": _libraries,
    "user": _user,
    "home": _home,
    "settings": _settings,
    "lock": _lock,
    "space": _space,
    "file system": _file_system,
    "clock": _clock,
    "database": _database,
    "staging": _staging,
}
