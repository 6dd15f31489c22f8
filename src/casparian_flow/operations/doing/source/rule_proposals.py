"""How what `operations.source.rule_proposals` names is done."""

from __future__ import annotations

import os
import shlex

from casparian_flow.core.files import display_path
from casparian_flow.core.tags import matches
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.source.rule_proposals import ProposedRule, ProposeRules, RuleProposals
from casparian_flow.scout.propose import Proposal, SeenFile, propose
from casparian_flow.store import tags as stored

GLOB = "*?["


def propose_rules(reading: Reading, request: ProposeRules) -> RuleProposals:
    """Globs for files without a tag, from their names, folders and content; nothing is changed."""
    wanted = _wanted(reading, request.files)
    seen = [
        SeenFile(path, content, not is_tagged and wanted.fits(location, path))
        for location, path, content, is_tagged in stored.seen_files(reading.connection)
    ]
    return RuleProposals(
        untagged=sum(file.is_open for file in seen),
        proposals=[_proposed(each) for each in propose(seen)],
    )


class _Wanted:
    """The files that a person pointed at."""

    def __init__(self, locations: frozenset[int], patterns: tuple[str, ...]) -> None:
        self._locations, self._patterns = locations, patterns

    def fits(self, location: int, path: str) -> bool:
        if not self._locations and not self._patterns:
            return True
        return location in self._locations or any(matches(pattern, path) for pattern in self._patterns)


def _wanted(reading: Reading, named: tuple[str, ...]) -> _Wanted:
    globs = [text for text in named if any(char in text for char in GLOB)]
    locations = {one_file(reading.connection, reading.cwd, text)["id"] for text in named if text not in globs}
    return _Wanted(frozenset(locations), tuple(display_path(os.fsencode(text)) for text in globs))


def _proposed(proposal: Proposal) -> ProposedRule:
    command = shlex.join(["casparian", "rules", "add", proposal.pattern, "--tag", proposal.tag])
    return ProposedRule(
        pattern=proposal.pattern,
        tag=proposal.tag,
        content=proposal.content,
        files=proposal.files,
        others=proposal.others,
        precision=round(proposal.precision, 3),
        examples=list(proposal.examples),
        command=command if proposal.pattern.isprintable() and not proposal.pattern.startswith("-") else None,
    )
