"""What a guest may import besides the standard library, the sdk and the guest's own code.

Until parsers have environments of their own, this is what the host's interpreter has installed. A locked environment
per parser belongs here: then a guest is started with the paths of its parser.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path


@cache
def site_paths() -> tuple[str, ...]:
    """The folders to append to the guest's path, without any `.pth` processing; pyarrow is in one of them."""
    installed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    arrow = importlib.util.find_spec("pyarrow")  # not imported: a guest is started before its host needs it
    assert arrow is not None and arrow.origin is not None
    return tuple(dict.fromkeys([*installed, str(Path(arrow.origin).parent.parent)]))
