"""Settings: show them with their origin, and change those of the home."""

from __future__ import annotations

from typing import Any

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ShowConfig(Request, frozen=True, kw_only=True):
    """Every setting."""


class GetSetting(Request, frozen=True, kw_only=True):
    """One setting, named `section.key`."""

    key: str


class SetSetting(Request, frozen=True, kw_only=True):
    """A value for one setting, as text or as what it is."""

    key: str
    value: str | int | float | bool


class UnsetSetting(Request, frozen=True, kw_only=True):
    """One setting that the home's file shall no longer hold."""

    key: str


class LocateConfig(Request, frozen=True, kw_only=True):
    """Where things are."""


class CheckConfig(Request, frozen=True, kw_only=True):
    """All places that settings come from."""


class ImportConfig(Request, frozen=True, kw_only=True):
    """A config file to take settings from, such as the `global_config.toml` of an earlier design."""

    file: str


class DescribeConfig(Request, frozen=True, kw_only=True):
    """The form of a config file."""


class ConfigFinding(Reply, frozen=True, kw_only=True):
    """One setting that is wrong."""

    found: str
    where: str
    why: str


class ConfigCheck(Reply, frozen=True, kw_only=True):
    """Everything that is wrong with the settings."""

    is_sound: bool
    findings: list[ConfigFinding]


class LeftSetting(Reply, frozen=True, kw_only=True):
    """One setting that was not taken over."""

    key: str
    why: str


class ConfigSchema(Reply, frozen=True, kw_only=True):
    """A JSON Schema."""

    body: dict[str, Any]


class Setting(Reply, frozen=True, kw_only=True):
    """One setting in force. `origin` is `default`, a file, a variable or `--set`."""

    key: str
    value: Any
    origin: str


class ConfigImport(Reply, frozen=True, kw_only=True):
    """What was written into the home's config file, and what was left."""

    taken: list[Setting]
    left: list[LeftSetting]


class Config(Reply, frozen=True, kw_only=True):
    """All settings in force."""

    settings: list[Setting]


class Places(Reply, frozen=True, kw_only=True):
    """The home, its config file and the case folder's, if that is another one."""

    home: str
    config: str
    case: str | None


OPERATIONS = (
    Operation(
        "config.show",
        ShowConfig,
        Config,
        Effect.READ,
        "home.config.show",
        "Every setting and its origin.",
        is_local=True,
    ),
    Operation("config.get", GetSetting, Setting, Effect.READ, "home.config.get", "One setting.", is_local=True),
    Operation(
        "config.set", SetSetting, Setting, Effect.EXECUTE, "home.config.set_", "Write one setting.", is_local=True
    ),
    Operation(
        "config.unset", UnsetSetting, Setting, Effect.EXECUTE, "home.config.unset", "Remove one setting.", is_local=True
    ),
    Operation(
        "config.check",
        CheckConfig,
        ConfigCheck,
        Effect.READ,
        "home.config.check",
        "What is wrong in settings.",
        is_local=True,
    ),
    Operation(
        "config.import",
        ImportConfig,
        ConfigImport,
        Effect.EXECUTE,
        "home.config.import_",
        "Take settings over.",
        is_local=True,
    ),
    Operation(
        "config.schema",
        DescribeConfig,
        ConfigSchema,
        Effect.READ,
        "home.config.schema",
        "The form of settings.",
        is_local=True,
    ),
    Operation(
        "config.path", LocateConfig, Places, Effect.READ, "home.config.path", "Where settings are kept.", is_local=True
    ),
)
