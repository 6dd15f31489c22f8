"""What is removed from a table's folder: only data files of ours that no commit names."""

from __future__ import annotations

from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.durable import remove_temporaries
from casparian_flow.sinks.layout import NO_JOB, TableFolder, is_version_folder, number_of, owner_of
from casparian_flow.sinks.resolve import read_entry, resolve_state
from casparian_flow.sinks.schema_file import remove_alone
from casparian_flow.sinks.shared_folder import tidying


def sweep_table(folder: TableFolder, role: Role, keep: frozenset[Attempt], suffix: str) -> int:
    """Remove the unnamed data files, of the format that `suffix` ends, of attempts that are not kept; how many went.

    Those of rewrites stay: one may be under way, and its number is remembered until it is decided (`remove_rewritten`).
    Files are listed before the log is read, so a commit that happens meanwhile cannot lose its files. A damaged log
    raises VerificationFailed before anything is removed.
    """
    candidates = {
        f"{path.parent.name}/{path.name}"
        for path in _data_files(folder)
        if path.suffix == suffix
        and (owner := owner_of(folder.path.name, path.name)) is not None
        and owner.job != NO_JOB
        and owner not in keep
    }
    orphans = candidates - resolve_state(folder, role).files.keys()
    if orphans:
        orphans -= _named(folder, role)
    for place in (folder.readme.parent, folder.log, folder.checkpoints, *_version_folders(folder)):
        remove_temporaries(place)
    remove_data_files(folder, orphans)
    return len(orphans)


def remove_rewritten(folder: TableFolder, numbers: Container[int]) -> None:
    """Remove what the rewrites of these numbers wrote; none of them may be permitted."""
    owners = {path: owner_of(folder.path.name, path.name) for path in _data_files(folder)}
    remove_data_files(
        folder,
        [
            f"{path.parent.name}/{path.name}"
            for path, owner in owners.items()
            if owner is not None and owner.job == NO_JOB and owner.attempt in numbers
        ],
    )


def remove_data_files(folder: TableFolder, names: Iterable[str]) -> None:
    """Remove these files, and the folders that are empty then."""
    for name in names:
        (folder.path / name).unlink(missing_ok=True)
    _tidy(folder)


def _tidy(folder: TableFolder) -> None:
    """Remove folders of ours that are empty, or hold nothing but the schema of files that are gone."""
    places = _version_folders(folder)
    for place in places:
        with tidying(place) as is_there:
            if is_there:
                remove_alone(place)
                with suppress(OSError):  # not empty
                    place.rmdir()
    with suppress(OSError):  # not empty, not a folder, or gone already
        folder.path.rmdir()


def _data_files(folder: TableFolder) -> Iterable[Path]:
    for place in _version_folders(folder):
        yield from (path for path in _entries(place) if path.is_file() and not path.is_symlink())


def _version_folders(folder: TableFolder) -> list[Path]:
    return [place for place in _entries(folder.path) if is_version_folder(place.name)]


def _named(folder: TableFolder, role: Role) -> set[str]:
    """Every file that any commit ever added: superseded ones answer questions about the past."""
    names: set[str] = set()
    for path in _entries(folder.log):
        if (seq := number_of(path.name)) is not None:
            entry = read_entry(folder, role, seq)
            if entry is None:
                raise VerificationFailed("a log entry went away while it was read", where=str(path))
            names.update(file.name for file in entry.adds)
    return names


def _entries(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
