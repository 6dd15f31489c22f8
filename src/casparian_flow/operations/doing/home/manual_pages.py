"""How what `operations.home.manual_pages` names is done."""

from __future__ import annotations

import difflib

from casparian_flow.core.errors import NotFound
from casparian_flow.manual import topics
from casparian_flow.operations.home.manual_pages import Page, ReadTopic
from casparian_flow.operations.local import Local


def show(_local: Local, request: ReadTopic) -> Page:
    """The page; raises NotFound, with the topic that was probably meant."""
    known = topics.names()
    if request.topic not in known:
        close = difflib.get_close_matches(request.topic, known, n=1, cutoff=0.5)
        raise NotFound(
            f"there is no topic and no command {request.topic!r}",
            why=f"did you mean {close[0]}?" if close else "",
            fix=f"casparian help {close[0]}" if close else "casparian help",
        )
    return Page(topic=request.topic, text=topics.topic(request.topic))
