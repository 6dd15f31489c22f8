"""Whether a data file is still as it was sealed."""

from __future__ import annotations

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.sinks.layout import TableFolder
from casparian_flow.sinks.log import AddedFile


def check_file(folder: TableFolder, file: AddedFile) -> None:
    """Raises VerificationFailed if the file is not there or has another size."""
    path = folder.path / file.name
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        size = -1
    if size != file.size:
        raise VerificationFailed(
            f"a data file of {folder.path.name} is not as it was sealed",
            where=str(path),
            why="it is missing" if size < 0 else f"it has {size} bytes, sealed were {file.size}",
        )
