"""How what `operations.home.init` names is done."""

from __future__ import annotations

from pathlib import Path

from casparian_flow.cases import CASE_FOLDER, CaseFacts, facts_of, remember, write_facts
from casparian_flow.core.errors import ConfigError, UsageError
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.home.init import CaseMade, InitCase
from casparian_flow.operations.local import Local

CONFIG = """\
# Settings of this case; `casparian config show --origin` lists all of them.
"""
LONGEST = 200


def init(local: Local, request: InitCase) -> CaseMade:
    """Make `.casparian` in the folder, for this user's eyes only.

    One that is there stays as it is, but takes a name or an examiner that is given.
    """
    home = local.cwd / request.folder / CASE_FOLDER
    for text in (request.name, request.examiner):
        if text is not None and not 0 < len(text.strip()) <= LONGEST:
            raise UsageError(f"a name has 1 to {LONGEST} characters", fix="casparian init --name 'Case 12'")
    try:
        is_new = not home.exists()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = home.resolve()
        config = home / "config.toml"
        if not config.exists():
            config.write_text(CONFIG, encoding="utf-8")
            config.chmod(0o600)
    except OSError as exc:
        raise UsageError(
            "the case folder cannot be made", where=str(home), why=exc.strerror or str(exc), fix="choose another folder"
        ) from exc
    facts = _keep_facts(home, request, rfc3339(local.now_ns))
    return CaseMade(
        home=str(home), is_new=is_new, name=facts.name, examiner=facts.examiner, not_listed=_not_listed(home)
    )


def _not_listed(home: Path) -> str | None:
    """Put the case on this user's list; why it is not, where that cannot be: the case is good without it."""
    try:
        remember(home)
    except ConfigError as exc:
        return f"{exc.where}: {exc.why}"
    return None


def _keep_facts(home: Path, request: InitCase, now: str) -> CaseFacts:
    known = facts_of(home)
    facts = CaseFacts(
        name=request.name or known.name,
        examiner=request.examiner or known.examiner,
        created=known.created or now,
    )
    if facts != known:
        write_facts(home, facts)
    return facts
