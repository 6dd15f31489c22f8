"""Typed settings, where each value came from, and where a home keeps its things."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from casparian_flow.cases import CASE_FOLDER, USER_HOME, check_owner, known_cases
from casparian_flow.core.drift import Mode, Modes
from casparian_flow.core.errors import ConfigError, NotFound

HOME_VARIABLE = "CASPARIAN_HOME"
VARIABLE_PREFIX = "CASPARIAN__"
DEFAULT = "default"
FLAG = "--set"


@dataclass(frozen=True, slots=True)
class Home:
    """One home: everything that Casparian keeps, in one folder that can be sealed and moved."""

    path: Path

    @property
    def state(self) -> Path:
        """The control database."""
        return self.path / "state.sqlite3"

    @property
    def lock(self) -> Path:
        """Held by the one process that may change state; it names the holder."""
        return self.path / "lock"

    @property
    def sentinel(self) -> Path:
        """What the sentinel that holds the home says about itself; left behind when it is killed."""
        return self.path / "sentinel.json"

    @property
    def sockets(self) -> Path:
        """Where a sentinel listens, unless the path is too long for sockets."""
        return self.path / "run"

    @property
    def keys(self) -> Path:
        """The key pair by which workers of other machines know the sentinel."""
        return self.path / "sentinel.keys.json"

    @property
    def pseudonym_key(self) -> Path:
        """The key under which this home replaces values; made when a table first needs it."""
        return self.path / "pseudonym.key"

    @property
    def sentinel_log(self) -> Path:
        """What a sentinel without a terminal writes."""
        return self.path / "sentinel.log"

    @property
    def workers(self) -> Path:
        """What the workers that a sentinel starts keep while they work."""
        return self.path / "workers"

    @property
    def config(self) -> Path:
        """The settings of this home."""
        return self.path / "config.toml"

    @property
    def staging(self) -> Path:
        """Rows of jobs that are not yet sealed."""
        return self.path / "staging"

    @property
    def plugins(self) -> Path:
        """Parsers that a person put here; pending until approved."""
        return self.path / "plugins"

    @property
    def crashes(self) -> Path:
        """What is kept about errors that nobody foresaw."""
        return self.path / "crashes"

    @property
    def default_sink(self) -> str:
        """Parquet in the home itself: its `outputs/` and `quarantine/`."""
        return f"parquet://{self.path}"


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How jobs run."""

    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    """Parser processes at once; 0 means one per core."""
    job_seconds: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    """After this long a job is stopped."""
    memory_mb: Annotated[int, msgspec.Meta(ge=64)] = 2048
    """Address space of one parser process."""
    retry_seconds: tuple[Annotated[float, msgspec.Meta(ge=0)], ...] = (4.0, 16.0, 64.0)
    """The pauses before each further try of a job that failed for a passing reason."""


class GovernanceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What needs a person."""

    first_contract: Literal["adopt", "hold"] = "adopt"
    """`adopt` takes the drafted contract of a new table at once, `hold` waits for `contract approve`."""
    tolerance: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """The share of a file's rows that may be quarantined before the file is held; 1.0 never holds."""
    evidence_margin: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    """By how much the rows or files behind a proposal may grow before it is void and drafted anew; 0.5 is by half."""
    proof_mb: Annotated[int, msgspec.Meta(ge=0)] = 256
    """How much is read again by itself to prove one proposal; beyond that it waits for `contract propose --full`."""
    replay_approval: Literal["changes", "always"] = "changes"
    """`changes` asks a person only for replays that lose or change accepted rows, `always` for each."""
    quarantine_mb: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Beyond this size of all rejected rows a file that would add to them is held; 0 means no limit."""


_Anything = Literal["propose", "evolve", "freeze", "quarantine_row", "rescue_value"]
_NothingToRescue = Literal["propose", "evolve", "freeze", "quarantine_row"]
_NeverByItself = Literal["propose", "freeze", "quarantine_row", "rescue_value"]


class DriftSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens where a file differs from its table's contract, unless the contract says it itself.

    `propose` does what keeps the most rows safely and drafts a change of the contract, `evolve` also applies one that
    keeps every row and every reader, `freeze` fails the job, `quarantine_row` rejects the row, `rescue_value` keeps the
    value in `_cf_rescued`; the last two draft nothing.
    """

    new_output: _NothingToRescue = "propose"
    """An output of a parser that has no table; its rows are rejected until it has."""
    new_column: _Anything = "propose"
    """A column that the contract does not have; `propose` rescues its values."""
    missing_column: _NothingToRescue = "quarantine_row"
    """A column that a file does not have; where it may be null its rows are accepted."""
    type: _Anything = "propose"
    """A value that is not of its column's type; `propose` rejects the row."""
    nullability: _NothingToRescue = "propose"
    """A null in a column that takes none; `propose` rejects the row."""
    rule: _NeverByItself = "propose"
    """A value that a rule of the contract refuses; `propose` rejects the row."""

    @property
    def modes(self) -> Modes:
        """The same as the noun that workers are given."""
        return Modes(**{name: Mode(mode) for name, mode in msgspec.structs.asdict(self).items()})


class WatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How folders are watched."""

    settle_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 2.0
    """A file is read when its size and time have not changed for so long."""
    reconcile_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60.0
    """How often everything is looked at, whatever the file system said; less often where that takes long."""
    hints: Literal["auto", "none"] = "auto"
    """`auto` listens to what the system tells of changes; `none` only looks, for file systems that tell nothing."""


class LineageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is told of runs to tools that follow data from system to system."""

    file: str = ""
    """Where every run that ends is told as events of OpenLineage, one a line; empty tells nobody."""


class UiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How answers are shown."""

    accessible: bool = False
    """Progress as plain appended lines, never redrawn."""
    limit: Annotated[int, msgspec.Meta(ge=1)] = 50
    """Rows of a list on a terminal, and of the lists in a summary, unless `--limit` or `--all` is given."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of one home."""

    run: RunSettings = RunSettings()
    drift: DriftSettings = DriftSettings()
    governance: GovernanceSettings = GovernanceSettings()
    lineage: LineageSettings = LineageSettings()
    ui: UiSettings = UiSettings()
    watch: WatchSettings = WatchSettings()


def known_keys() -> dict[str, Any]:
    """Every `section.key` with its type, in the order in which they are shown."""
    return {
        f"{section.name}.{field.name}": field.type
        for section in msgspec.structs.fields(Settings)
        for field in msgspec.structs.fields(section.type)
    }


def find_home(explicit: Path | None, env: Mapping[str, str], cwd: Path, *, case: str | None = None) -> Home:
    """`explicit`, else the case of that name, else CASPARIAN_HOME, else the nearest case folder above `cwd`.

    Where there is none of them it is the case chosen with `case use`, else `~/.casparian_flow`. Raises NotFound for a
    case that is not there: work must not begin in an empty home of its name.
    """
    if explicit is not None:
        return Home(cwd / explicit)
    if case is not None:
        return _case_home(known_cases().named(case))
    if named := env.get(HOME_VARIABLE):
        return Home(cwd / Path(named).expanduser())
    if nearest := find_case(cwd):
        return Home(nearest)
    if chosen := known_cases().chosen:
        return _case_home(chosen)
    return Home(Path(USER_HOME).expanduser())


def _case_home(path: Path) -> Home:
    if not path.is_dir():
        raise NotFound("the chosen case is not there", where=str(path), fix="casparian case use NAME, or --none")
    check_owner(path)
    return Home(path)


def find_case(cwd: Path) -> Path | None:
    """The nearest `.casparian` folder in `cwd` or above it; raises UsageError if it belongs to somebody else."""
    for parent in (cwd, *cwd.parents):
        case = parent / CASE_FOLDER
        if case.is_dir():
            check_owner(case)
            return case
    return None


def load(
    home: Home, env: Mapping[str, str], overrides: Mapping[str, str], *, case: Path | None = None
) -> tuple[Settings, dict[str, str]]:
    """The settings in force, and for every `section.key` where its value comes from.

    Later wins: default, the home's `config.toml`, the case folder's, `CASPARIAN__SECTION__KEY`, `--set`.
    """
    keys = known_keys()
    values: dict[str, Any] = {}
    origins = dict.fromkeys(keys, DEFAULT)
    for key, value, origin in given(home, env, overrides, case=case):
        if key not in keys:
            raise unknown_key(key, origin)
        values[key] = convert_value(key, value, origin)
        origins[key] = origin
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    return msgspec.convert(sections, Settings), origins


def convert_value(key: str, value: object, origin: str) -> Any:
    """The value as the setting's type; text as it stands in a variable or an option is understood too."""
    try:
        return msgspec.convert(value, known_keys()[key], strict=not isinstance(value, str))
    except msgspec.ValidationError as exc:
        raise ConfigError(f"{key} cannot be {value!r}", where=origin, why=str(exc)) from exc


def unknown_key(key: str, origin: str) -> ConfigError:
    """The error about a setting that does not exist, with the name that was probably meant."""
    close = difflib.get_close_matches(key, known_keys(), n=1, cutoff=0.5)
    return ConfigError(
        f"there is no setting {key}",
        where=origin,
        why=f"did you mean {close[0]}?" if close else "",
        fix=ConfigError.hint,
    )


def read_config(path: Path) -> dict[str, Any]:
    """The sections of one config file, empty when there is no such file."""
    try:
        written = path.read_text(encoding="utf-8")
        import tomllib  # noqa: PLC0415 - most homes have no such file, and it takes time

        return tomllib.loads(written)
    except FileNotFoundError:
        return {}
    except ValueError as exc:  # neither TOML nor UTF-8
        raise ConfigError("the config file is not valid TOML", where=str(path), why=str(exc)) from exc
    except OSError as exc:
        raise ConfigError("the config file cannot be read", where=str(path), why=exc.strerror or str(exc)) from exc


def given(
    home: Home, env: Mapping[str, str], overrides: Mapping[str, str], *, case: Path | None = None
) -> Iterator[tuple[str, object, str]]:
    """Every (key, value, origin) that is given anywhere, unchecked, those that win last."""
    files = [home.config]
    if case is not None and case / "config.toml" != home.config:
        files.append(case / "config.toml")
    for path in files:
        for section, entries in read_config(path).items():
            pairs = entries.items() if isinstance(entries, dict) else [("", entries)]
            yield from ((f"{section}.{name}".rstrip("."), value, str(path)) for name, value in pairs)
    for variable in sorted(env):
        if variable.startswith(VARIABLE_PREFIX):
            key = variable.removeprefix(VARIABLE_PREFIX).lower().replace("__", ".")
            yield key, env[variable], variable
    for key, text in overrides.items():
        yield key, text, FLAG
