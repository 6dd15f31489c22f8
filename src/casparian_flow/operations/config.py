"""Settings: show them with their origin, and change those of the home."""

from __future__ import annotations

from typing import Any

import msgspec

from casparian_flow.operations.config_file import write_setting
from casparian_flow.operations.local import Local
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.settings import Settings, convert_value, known_keys, load, unknown_key


class ShowConfig(Request, frozen=True):
    """Every setting."""


class GetSetting(Request, frozen=True):
    """One setting, named `section.key`."""

    key: str


class SetSetting(Request, frozen=True):
    """A value for one setting, as text or as what it is."""

    key: str
    value: str | int | float | bool


class UnsetSetting(Request, frozen=True):
    """One setting that the home's file shall no longer hold."""

    key: str


class LocateConfig(Request, frozen=True):
    """Where things are."""


class Setting(Reply, frozen=True):
    """One setting in force. `origin` is `default`, a file, a variable or `--set`."""

    key: str
    value: Any
    origin: str


class Config(Reply, frozen=True):
    """All settings in force."""

    settings: list[Setting]


class Places(Reply, frozen=True):
    """The home, its config file and the case folder's, if that is another one."""

    home: str
    config: str
    case: str | None


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


def _value(settings: Settings, key: str) -> Any:
    section, _, name = key.partition(".")
    return msgspec.to_builtins(getattr(getattr(settings, section), name))


OPERATIONS = (
    Operation("config.show", ShowConfig, Config, Effect.READ, show, "Every setting and its origin.", is_local=True),
    Operation("config.get", GetSetting, Setting, Effect.READ, get, "One setting.", is_local=True),
    Operation("config.set", SetSetting, Setting, Effect.EXECUTE, set_, "Write one setting.", is_local=True),
    Operation("config.unset", UnsetSetting, Setting, Effect.EXECUTE, unset, "Remove one setting.", is_local=True),
    Operation("config.path", LocateConfig, Places, Effect.READ, path, "Where settings are kept.", is_local=True),
)
