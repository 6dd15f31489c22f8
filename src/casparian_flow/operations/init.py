"""Init: a case folder, so that everything about one case is kept beside it."""

from __future__ import annotations

from casparian_flow.core.errors import UsageError
from casparian_flow.operations.local import Local
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.settings import CASE_FOLDER

CONFIG = """\
# Settings of this case; `casparian config show --origin` lists all of them.
"""


class InitCase(Request, frozen=True, kw_only=True):
    """The folder in which the case lies."""

    folder: str = "."


class CaseMade(Reply, frozen=True, kw_only=True):
    """The home that commands in and below the folder use; `is_new` is false when it was there already."""

    home: str
    is_new: bool


def init(local: Local, request: InitCase) -> CaseMade:
    """Make `.casparian` in the folder, for this user's eyes only; one that is there stays as it is."""
    home = local.cwd / request.folder / CASE_FOLDER
    try:
        is_new = not home.exists()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = home / "config.toml"
        if not config.exists():
            config.write_text(CONFIG, encoding="utf-8")
            config.chmod(0o600)
    except OSError as exc:
        raise UsageError(
            "the case folder cannot be made", where=str(home), why=exc.strerror or str(exc), fix="choose another folder"
        ) from exc
    return CaseMade(home=str(home.resolve()), is_new=is_new)


OPERATIONS = (Operation("init", InitCase, CaseMade, Effect.EXECUTE, init, "Make a case folder.", is_local=True),)
