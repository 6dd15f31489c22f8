"""How what `operations.parser.options` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.operations.context import Acting
from casparian_flow.operations.parser.options import SetOptions, StandingOptions
from casparian_flow.publish.discover import plugin_parsers, shipped_parsers
from casparian_flow.store import standing as standing_store
from casparian_flow.store.views import replays as view


def set_(acting: Acting, request: SetOptions) -> StandingOptions:
    """Change the options that stand; raises NotFound, and UsageError for an option that the parser does not have."""
    found = [*shipped_parsers(), *plugin_parsers(acting.home.plugins)]
    manifest = next((each.manifest for each in found if each.manifest and each.manifest.name == request.parser), None)
    if manifest is None:
        raise NotFound(f"there is no parser {request.parser}", fix="casparian parser list")
    if unknown := sorted({*request.options, *request.unset} - set(manifest.options)):
        known = ", ".join(sorted(manifest.options)) or "none"
        raise UsageError(f"parser {request.parser} has no option {unknown[0]}", why=f"it has: {known}")
    if both := sorted(set(request.options) & set(request.unset)):
        raise UsageError(f"the option {both[0]} is both set and unset")
    with acting.database.transaction() as connection:
        before = standing_store.standing_of(connection, request.parser, request.table)
        now = {name: value for name, value in (before | request.options).items() if name not in request.unset}
        if now != before:
            standing_store.set_standing(
                connection,
                request.parser,
                request.table,
                now,
                by=acting.actor,
                reason=request.reason,
                now_ns=acting.clock(),
            )
        files = len(view.read_otherwise(connection, request.parser, request.table, now))
    return StandingOptions(
        parser=request.parser, table=request.table, options=now, is_changed=now != before, files=files
    )
