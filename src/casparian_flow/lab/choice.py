"""Which parser reads one file, without the rules of any home: the one that is asked for, else by content and name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from casparian_flow.core.errors import NoParser, UsageError
from casparian_flow.core.text import safe_text
from casparian_flow.publish.discover import FoundParser, named_parser, shipped_parsers
from casparian_flow.scout.content import ContentKind
from casparian_flow.sentinel.planning.registered import Registered, registered_of
from casparian_flow.sentinel.planning.routing import Routing, candidates_of


def parser_for(
    file_name: str, kind: ContentKind, asked: str | None, options: Iterable[str], plugins: Path | None, cwd: Path
) -> Registered:
    """The parser of a file; it knows each of the options.

    Raises NotFound or ParserInvalid about the one that was asked for, NoParser if none reads such content, and
    UsageError, naming the options that there are, for one that there is not.
    """
    if asked is not None:
        registered = registered_of(named_parser(asked, plugins, cwd))
    elif (found := shipped_for(file_name, kind)) is not None:
        registered = registered_of(found)
    else:
        raise NoParser(f"no parser reads {safe_text(file_name)}", why=f"content is {kind.kind}: {kind.reason}")
    known = sorted(registered.manifest.options)
    for option in options:
        if option not in known:
            raise UsageError(
                f"the parser {registered.artifact.name} has no option {option}",
                why=f"known options: {', '.join(known) or 'none'}",
            )
    return registered


def shipped_for(file_name: str, kind: ContentKind) -> FoundParser | None:
    """The shipped parser that a run would choose, as far as name and content say it."""
    shipped = shipped_parsers()
    chosen = Routing(parsers=candidates_of(shipped)).choose(file_name, kind.kind, kind.reason).parser
    if chosen is None:
        return None
    return next(each for each in shipped if each.artifact is not None and each.artifact.name == chosen.artifact.name)
