"""`casparian version`."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click

from casparian_flow import __version__
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import write_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What runs here; `libraries` is filled with --verbose only."""

    version: str
    python: str
    platform: str
    libraries: dict[str, str]


@click.command("version")
@pass_face
def command(face: Face) -> None:
    """The version of the product; with --verbose, of what it stands on."""
    found = Version(
        version=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        libraries=_libraries() if face.options.verbose else {},
    )
    write_record(face.paper, "casparian.version/1", asdict(found), _lines(found), is_plain=True)


def _lines(found: Version) -> Iterator[str]:
    yield f"casparian {found.version}"
    if found.libraries:
        yield f"python {found.python}"
        yield found.platform
        yield from (f"{name} {version}" for name, version in found.libraries.items())


def _libraries() -> dict[str, str]:
    from importlib import metadata

    from casparian_flow.operations.doing.home.doctor import LIBRARIES

    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
