"""The cases that this user made or used, by name, and what each says about itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casparian_flow.core.errors import ConfigError, NotFound, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.core.toml import toml_value

CASE_FOLDER = ".casparian"
FACTS = "case.toml"
"""In a case's home, so that it moves with it: name, examiner, when it was made."""
USER_HOME = "~/.casparian_flow"
REGISTRY = "cases.toml"
"""In the user's own home: the paths of the cases, and the one that was chosen."""
REGISTRY_VARIABLE = "CASPARIAN_CASES"
"""Names another file for that list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFacts:
    """What a case says about itself."""

    name: str
    examiner: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCases:
    """The homes of the cases that were made or used, in that order, and the one chosen for commands elsewhere."""

    homes: tuple[Path, ...] = ()
    chosen: Path | None = None

    def named(self, name: str) -> Path:
        """The home of the case with that name; raises NotFound, or UsageError if several have it."""
        found = [home for home in self.homes if home.is_dir() and facts_of(home).name == name]
        if not found:
            raise NotFound(f"there is no case {name!r} among those made or used", fix="casparian case list")
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} cases are named {name!r}",
                why=", ".join(str(home.parent) for home in found),
                fix="casparian case use PATH",
            )
        return found[0]


def facts_of(home: Path) -> CaseFacts:
    """What is written in the case; one without is named as its folder. Raises ConfigError if it cannot be read."""
    found = _read(home / FACTS)
    texts = {key: value for key, value in found.items() if isinstance(value, str)}
    return CaseFacts(
        name=texts.get("name") or display_path(os.fsencode(home.parent.name)) or "case",
        examiner=texts.get("examiner", ""),
        created=texts.get("created", ""),
    )


def write_facts(home: Path, facts: CaseFacts) -> None:
    """Keep what the case says about itself."""
    _write(home / FACTS, {"name": facts.name, "examiner": facts.examiner, "created": facts.created})


def known_cases() -> KnownCases:
    """Every case that this user made or used; raises ConfigError if the list cannot be read."""
    found = _read(_registry())
    homes = found.get("homes", [])
    chosen = found.get("chosen")
    if not isinstance(homes, list) or not all(isinstance(each, str) for each in homes):
        where = str(_registry())
        raise ConfigError("the list of cases holds something else", where=where, fix=f"rm {shlex.quote(where)}")
    return KnownCases(homes=tuple(map(Path, homes)), chosen=Path(chosen) if isinstance(chosen, str) else None)


def remember(home: Path) -> None:
    """Put a case on the list, once."""
    if home in known_cases().homes:
        return
    with _held():
        known = known_cases()
        if home not in known.homes:
            _keep(KnownCases(homes=(*known.homes, home), chosen=known.chosen))


def choose(home: Path | None) -> None:
    """Make a case the one for commands that find no nearer home; None goes back to the user's own home."""
    with _held():
        known = known_cases()
        homes = known.homes if home is None or home in known.homes else (*known.homes, home)
        _keep(KnownCases(homes=homes, chosen=home))


def check_owner(home: Path) -> None:
    """Raises UsageError for a case of somebody else: it would decide which parsers are trusted."""
    if home.stat().st_uid not in (os.geteuid(), 0):
        raise UsageError(
            "the case folder belongs to another user", where=str(home), fix="name the home with --home DIR"
        )


def _registry() -> Path:
    named = os.environ.get(REGISTRY_VARIABLE)
    return Path(named).expanduser() if named else Path(USER_HOME).expanduser() / REGISTRY


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Keep other processes from changing the list until this change is written: neither is lost."""
    lock = _registry().with_name(f"{_registry().name}.lock")
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise ConfigError("the list of cases cannot be written", where=str(lock), why=str(exc)) from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _keep(known: KnownCases) -> None:
    values: dict[str, str | tuple[str, ...]] = {"homes": tuple(map(str, known.homes))}
    if known.chosen is not None:
        values["chosen"] = str(known.chosen)
    _write(_registry(), values)


def _read(path: Path) -> dict[str, Any]:
    try:
        written = path.read_text(encoding="utf-8")
        import tomllib  # noqa: PLC0415 - nothing is kept by who has no cases, and it takes time

        return tomllib.loads(written)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise ConfigError("what is kept about cases cannot be read", where=str(path), why=str(exc)) from exc


def _write(path: Path, values: Mapping[str, str | tuple[str, ...]]) -> None:
    """Write the file anew; readers see the old one or the new one."""
    lines = [f"{key} = {_literal(value)}\n" for key, value in values.items()]
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, UnicodeEncodeError) as exc:
        raise ConfigError("what is kept about cases cannot be written", where=str(path), why=str(exc)) from exc
    finally:
        with contextlib.suppress(OSError):  # what keeps it from being written may keep it from being there
            beside.unlink(missing_ok=True)


def _literal(value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return toml_value(value)
    return "[" + "".join(f"\n  {toml_value(each)}," for each in value) + "\n]" if value else "[]"
