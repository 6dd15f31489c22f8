"""Which entries of a source a scan is about, where it is not about all of them."""

from __future__ import annotations

from dataclasses import dataclass

from casparian_flow.core.files import display_path
from casparian_flow.core.sizes import LARGEST
from casparian_flow.core.tags import matches
from casparian_flow.scout.entries import COMPANIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Conditions on paths and sizes, all of which must hold; of several patterns or extensions one must.

    `depth` counts the parts of a path: 1 is what lies in the root itself; 0 is any. What stands beside a database under
    its name and `-wal`, `-shm` or `-journal` is judged by the database's name, and is left alone where
    sizes are asked for.
    """

    patterns: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    least: int = 0
    most: int = LARGEST
    depth: int = 0

    @property
    def is_everything(self) -> bool:
        """Whether no condition is given."""
        return self == Chosen()

    def covers(self, rel_path: bytes, size: int) -> bool:
        """Whether the scan is about the entry; a row that stands for a whole folder is about more than its files."""
        if self.is_everything:
            return True
        if rel_path.endswith(b"/") or (self.depth and rel_path.count(b"/") >= self.depth):
            return False
        is_companion = rel_path.endswith(COMPANIONS)
        has_bounds = self.least > 0 or self.most < LARGEST
        if has_bounds and (is_companion or not self.least <= size <= self.most):
            return False
        path = display_path(rel_path.rsplit(b"-", 1)[0] if is_companion else rel_path)
        if self.patterns and not any(matches(pattern, path) for pattern in self.patterns):
            return False
        return not self.extensions or path.lower().endswith(tuple(self._endings()))

    def _endings(self) -> list[str]:
        return ["." + extension.lstrip(".").lower() for extension in self.extensions]


EVERYTHING = Chosen()
