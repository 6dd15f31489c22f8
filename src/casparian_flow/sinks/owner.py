"""The mark that says which home writes to a folder: two homes would give their commits the same numbers."""

from __future__ import annotations

from pathlib import Path

from casparian_flow.core.errors import TargetOwned, VerificationFailed
from casparian_flow.sinks.durable import make_folder, put_if_absent, sync_folder
from casparian_flow.sinks.sealed_json import open_json, seal_json

MARK = Path("_cf") / "owner.json"


def claim_folder(root: Path, uri: str, owner: str) -> None:
    """Make the folder the home's; raises TargetOwned, naming the other home, if it is another's. Allowed twice."""
    mark = root / MARK
    if not mark.exists():
        make_folder(mark.parent)
        put_if_absent(mark, seal_json({"home": owner}))
        sync_folder(mark.parent)
    body = open_json(mark.read_bytes(), str(mark))
    if not isinstance(body, dict) or not isinstance(body.get("home"), str):
        raise VerificationFailed("the mark of a target's owner cannot be understood", where=str(mark))
    if body["home"] != owner:
        raise TargetOwned(f"{uri} belongs to another home", where=str(mark), why=f"home {body['home']} writes there")
