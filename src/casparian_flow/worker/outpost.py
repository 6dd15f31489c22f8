"""A worker that is a process of its own: where it finds its sentinel, and the folder that is its alone."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from casparian_flow.core.errors import SentinelMissing, UsageError
from casparian_flow.core.presence import decode
from casparian_flow.protocol.endpoints import is_tcp
from casparian_flow.protocol.invitation import PREFIX, invitation_of
from casparian_flow.protocol.joining import join, membership
from casparian_flow.protocol.transport import Dealer
from casparian_flow.protocol.zmq_dealer import ZmqDealer
from casparian_flow.protocol.zmq_sockets import Curve
from casparian_flow.worker.surroundings import host_name

PRESENCE = "sentinel.json"
LONGEST_NAME = 40
SCRATCH = "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Where a worker's sentinel listens, how the worker is called, and by which keys both know each other."""

    endpoint: str
    worker: str
    curve: Curve | None = None

    def connect(self) -> Dealer:
        """The line to the sentinel; while nobody answers there it goes on trying."""
        return ZmqDealer(self.endpoint, self.worker, curve=self.curve)


def find_post(address: str, worker: str | None, folder: Path) -> Post:
    """The post that an address means; keys of workers on other machines are kept in `folder`.

    An address is an invitation (`cf-join:…`), which is used up by this, `tcp://HOST:PORT` of a worker that has joined
    under that name, `ipc://` with the path of a socket, or the path of a home with a sentinel on this machine.
    Raises UsageError, SentinelMissing, and WorkerRefused for an invitation that nobody takes.
    """
    if address.strip().startswith(PREFIX):
        invitation = invitation_of(address)
        if worker not in (None, invitation.worker):
            raise UsageError(f"the invitation is for {invitation.worker}, not for {worker}", fix="leave --name out")
        member = join(_key_file(folder, invitation.worker), invitation, host=host_name())
        return Post(endpoint=member.endpoint, worker=member.worker, curve=member.curve)
    if "://" not in address:
        return Post(endpoint=_endpoint_of(Path(address)), worker=worker or host_name()[:LONGEST_NAME])
    if not is_tcp(address):
        return Post(endpoint=address, worker=worker or host_name()[:LONGEST_NAME])
    if worker is None:
        raise UsageError("which of the keys kept here opens that sentinel?", fix=f"--join {address} --name NAME")
    member = membership(_key_file(folder, worker))
    return Post(endpoint=address, worker=member.worker, curve=member.curve)


def _key_file(folder: Path, worker: str) -> Path:
    if worker != Path(worker).name or worker in (".", ".."):
        raise UsageError(f"{worker!r} is no name for a worker", why="it names a file here")
    return folder / f"{worker}.key"


def _endpoint_of(home: Path) -> str:
    """Where the sentinel of a home takes workers of this machine."""
    file = home / PRESENCE
    try:
        presence = decode(file.read_bytes(), str(file))
    except (FileNotFoundError, NotADirectoryError) as exc:
        fix = f"casparian start --home {home}"
        raise SentinelMissing("no sentinel holds that home", where=str(home), fix=fix) from exc
    except OSError as exc:
        raise UsageError("the home cannot be read", where=str(home), why=exc.strerror or str(exc)) from exc
    local = [endpoint for endpoint in presence.workers if not is_tcp(endpoint)]
    if not local:
        raise SentinelMissing("the sentinel of that home takes no workers of this machine", where=str(home))
    return local[0]


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A folder that no other worker of this machine uses as long as the block lasts; it may hold what one left.

    What others left that were killed is removed: what they read need not be seen by everybody.
    """
    for number in count():
        with _locked(folder / str(number)) as is_mine:
            if is_mine:
                for other in folder.iterdir():
                    if other.name != str(number) and other.is_dir():
                        with _locked(other) as is_left:
                            if is_left:
                                shutil.rmtree(other / SCRATCH, ignore_errors=True)
                yield folder / str(number) / SCRATCH
                return


@contextmanager
def _locked(own: Path) -> Iterator[bool]:
    """The lock of a worker's folder, made if there is none; whether it was free."""
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)
