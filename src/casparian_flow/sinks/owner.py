"""The mark that says which home writes to a folder: two homes would give their commits the same numbers."""

from __future__ import annotations

from pathlib import Path

from casparian_flow.core.errors import TargetOwned, VerificationFailed
from casparian_flow.sinks.durable import make_folder, put_if_absent, remove_temporaries, sync_folder
from casparian_flow.sinks.sealed_json import open_json, seal_json

MARK = Path("_cf") / "owner.json"


def owner_of_folder(root: Path) -> str | None:
    """The home that claimed the folder; None as long as no home has. Raises VerificationFailed for a damaged mark."""
    mark = root / MARK
    try:
        data = mark.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    body = open_json(data, str(mark))
    home = body.get("home") if isinstance(body, dict) else None
    if not isinstance(home, str):
        raise VerificationFailed("the mark of a target's owner cannot be understood", where=str(mark))
    return home


def claim_folder(root: Path, uri: str, home: str) -> None:
    """Make the folder that home's own; raises TargetOwned, naming the other home, if it is another's.

    What somebody left who was killed at it is removed.
    """
    mark = root / MARK
    if owner_of_folder(root) is None:
        make_folder(mark.parent)
        put_if_absent(mark, seal_json({"home": home}))
        sync_folder(mark.parent)
    remove_temporaries(mark.parent)
    if (owner := owner_of_folder(root)) != home:
        raise TargetOwned(f"{uri} belongs to another home", where=str(mark), why=f"home {owner} writes there")
