"""What a guest may import besides the standard library, the sdk and the guest's own code.

Until parsers have environments of their own, this is what the host's interpreter has installed. A locked environment
per parser belongs here: then the paths come from the parser's order instead.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pyarrow as pa


@cache
def site_paths() -> tuple[str, ...]:
    """The folders to append to the guest's path, without any `.pth` processing; pyarrow is in one of them."""
    installed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return tuple(dict.fromkeys([*installed, str(Path(pa.__file__).parent.parent)]))
