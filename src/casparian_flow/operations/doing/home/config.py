"""How what `operations.home.config` names is done."""

from __future__ import annotations

from typing import Any

import msgspec

from casparian_flow.core.errors import ConfigError, NotFound
from casparian_flow.operations.home.config import (
    CheckConfig,
    Config,
    ConfigCheck,
    ConfigFinding,
    ConfigImport,
    ConfigSchema,
    DescribeConfig,
    GetSetting,
    ImportConfig,
    LeftSetting,
    LocateConfig,
    Places,
    SetSetting,
    Setting,
    ShowConfig,
    UnsetSetting,
)
from casparian_flow.operations.home.config_file import write_setting
from casparian_flow.operations.local import Local
from casparian_flow.settings import Settings, convert_value, given, known_keys, load, read_config, unknown_key

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EARLIER = {
    "database.type": "state is always kept in SQLite; rows go where a sink says",
    "database.db_location": "state lies in the home: name it with --home or CASPARIAN_HOME",
}
"""Settings of the first designs, and what became of them."""


def show(local: Local, _request: ShowConfig) -> Config:
    """Every setting in force and where it comes from."""
    settings, origins = load(local.home, local.env, local.overrides, case=local.case)
    return Config(settings=[Setting(key=key, value=_value(settings, key), origin=origins[key]) for key in origins])


def get(local: Local, request: GetSetting) -> Setting:
    """One setting; raises ConfigError if there is none of that name."""
    for setting in show(local, ShowConfig()).settings:
        if setting.key == request.key:
            return setting
    raise unknown_key(request.key, "config get")


def set_(local: Local, request: SetSetting) -> Setting:
    """Write one setting into the home's config file; a value that does not fit changes nothing."""
    if request.key not in known_keys():
        raise unknown_key(request.key, "config set")
    value = convert_value(request.key, request.value, "config set")
    section, _, name = request.key.partition(".")
    write_setting(local.home.config, section, name, value)
    return Setting(key=request.key, value=value, origin=str(local.home.config))


def unset(local: Local, request: UnsetSetting) -> Setting:
    """Take one setting out of the home's config file, and say what holds now.

    Also one that is not known, since such a line keeps every other command from starting.
    """
    section, _, name = request.key.partition(".")
    write_setting(local.home.config, section, name, None)
    return (
        get(local, GetSetting(key=request.key))
        if request.key in known_keys()
        else Setting(key=request.key, value=None, origin="removed")
    )


def path(local: Local, _request: LocateConfig) -> Places:
    """Where the home and its config file are."""
    case = local.case / "config.toml" if local.case else None
    return Places(
        home=str(local.home.path),
        config=str(local.home.config),
        case=str(case) if case and case != local.home.config else None,
    )


def check(local: Local, _request: CheckConfig) -> ConfigCheck:
    """Look at every place that settings come from; what is wrong is a finding, not an error."""
    findings = []
    places = given(local.home, local.env, local.overrides, case=local.case)
    while True:
        try:
            key, value, origin = next(places)
            if key not in known_keys():
                raise unknown_key(key, origin)
            convert_value(key, value, origin)
        except StopIteration:
            break
        except ConfigError as exc:
            findings.append(ConfigFinding(found=exc.message, where=exc.where, why=exc.why))
    return ConfigCheck(is_sound=not findings, findings=findings)


def import_(local: Local, request: ImportConfig) -> ConfigImport:
    """Take over what fits from a config file of this or of an earlier design, and say what was left and why.

    Everything is checked before anything is written.
    """
    path = local.cwd / request.file
    if not path.is_file():
        raise NotFound(f"there is no file {request.file!r}", fix="casparian config import FILE")
    taken, left = [], []
    for section, entries in read_config(path).items():
        for name, value in entries.items() if isinstance(entries, dict) else [("", entries)]:
            key = f"{section}.{name}".rstrip(".")
            if key in known_keys():
                taken.append(
                    Setting(key=key, value=convert_value(key, value, str(path)), origin=str(local.home.config))
                )
            else:
                left.append(LeftSetting(key=key, why=EARLIER.get(key, "there is no such setting here")))
    for setting in taken:
        section, _, name = setting.key.partition(".")
        write_setting(local.home.config, section, name, setting.value)
    return ConfigImport(taken=taken, left=left)


def schema(_local: Local, _request: DescribeConfig) -> ConfigSchema:
    """The JSON Schema of a config file."""
    return ConfigSchema(body={"$schema": DIALECT, **msgspec.json.schema(Settings)})


def _value(settings: Settings, key: str) -> Any:
    section, _, name = key.partition(".")
    return msgspec.to_builtins(getattr(getattr(settings, section), name))
