"""A disk that goes wrong on demand, under one process: every call that changes files is counted, named and judged."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import shutil
import signal
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .names import is_nothing, place_of
from .volatile import Volatile

SOURCE = Path(__file__).with_name("disk.c")
_JUDGE = ctypes.CFUNCTYPE(
    ctypes.c_long, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_long, ctypes.c_long
)
AT_CWD = -100
_NEEDS_SPACE = ("create", "mkdir", "write", "reserve")


@dataclass(frozen=True, slots=True)
class Fault:
    """At which step what happens: `kill`, `full` or `torn`; `seed` decides what is lost."""

    point: str
    occurrence: int
    kind: str
    seed: int


def build_library(folder: Path) -> Path:
    """The library that lets every call be judged; needs a C compiler on Linux."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler is not None
    library = folder / "disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Disk:
    """The disk below one folder, as this process sees it from now on. `steps` counts the steps by name."""

    def __init__(self, root: Path, fault: Fault | None, graves: Path) -> None:
        self.steps: Counter[str] = Counter()
        self.transactions = Transactions()
        self.has_struck = False
        self._root = os.path.realpath(root) + "/"
        self._fault = fault
        self._chance = random.Random(fault.seed if fault else 0)
        self._volatile = Volatile(graves) if fault and fault.kind == "torn" else None
        self._lock = threading.RLock()
        self._library = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self._judge = _JUDGE(self._judged)
        self._library.set_judge(self._judge)

    def leave(self) -> None:
        """Everything goes to the disk as it is again."""
        self._library.set_judge(_JUDGE())

    def _judged(self, call: bytes, file: int, path: bytes | None, second: bytes | None, at: int, count: int) -> int:
        try:
            where = self._where(file, path)
            if where is None:
                return count
            with self._lock:
                return self._decide(
                    call.decode(), file, where, None if second is None else os.fsdecode(second), at, count
                )
        except BaseException:  # an error of ours must not look like one of the disk
            import traceback

            traceback.print_exc()
            os._exit(99)

    def _where(self, file: int, path: bytes | None) -> str | None:
        """The path, if it is below our folder."""
        if path is None:
            try:
                found = str(_path_of(file))
            except OSError:
                return None
        else:
            found = os.fsdecode(path)
            if not found.startswith("/"):
                found = str((Path.cwd() if file == AT_CWD else _path_of(file)) / found)
        return found if (found + "/").startswith(self._root) else None

    def _decide(self, call: str, file: int, path: str, second: str | None, at: int, count: int) -> int:
        if call == "create" and not at & os.O_TRUNC and Path(path).exists():
            return count  # opened, as any other file
        place = place_of((path + "/").removeprefix(self._root).rstrip("/"))
        if is_nothing(place) or self._changes_nothing(call, path):
            return count
        name = self.transactions.named(f"{place}: {call}", call)
        self.steps[name] += 1
        if self.has_struck:
            return self._after(call, file, at, count)
        fault = self._fault
        if fault is not None and name == fault.point and self.steps[name] >= fault.occurrence:
            self.has_struck = True
            if fault.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault.kind == "full":
                return -errno.ENOSPC
            if call == "write" and count > 1:
                self._note(call, file, path, second, at, count)
                return self._chance.randrange(1, count)
            self._end()
        self._note(call, file, path, second, at, count)
        return count

    def _changes_nothing(self, call: str, path: str) -> bool:
        """Whether it would fail anyhow, or leave all as it is."""
        if call in ("remove", "rmdir"):
            return not os.path.lexists(path) or (call == "rmdir" and any(Path(path).iterdir()))
        return call == "mkdir" and os.path.lexists(path)

    def _after(self, call: str, file: int, at: int, count: int) -> int:
        assert self._fault is not None
        if self._fault.kind == "torn":
            self._end()
        if call == "write":
            size = os.fstat(file).st_size
            end = (at if at >= 0 else os.lseek(file, 0, os.SEEK_CUR)) + count
            return -errno.ENOSPC if end > size else count
        return -errno.ENOSPC if call in _NEEDS_SPACE else count

    def _end(self) -> None:
        """The machine is off."""
        assert self._volatile is not None
        self._volatile.lose(self._chance)
        os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, call: str, file: int, path: str, second: str | None, at: int, count: int) -> None:
        volatile = self._volatile
        if volatile is None:
            return
        match call:
            case "write":
                volatile.will_write(file, at, count)
            case "cut":
                volatile.will_cut(file, at)
            case "sync":
                volatile.will_sync(file, path)
            case "create" | "link":
                volatile.will_create(path)
            case "mkdir":
                volatile.will_make_folder(path)
            case "remove":
                volatile.will_remove(path)
            case "rmdir":
                volatile.will_remove_folder(path)
            case "rename":
                assert second is not None
                volatile.will_rename(second, path)


def _path_of(file: int) -> Path:
    return Path(f"/proc/self/fd/{file}").readlink()


class Transactions:
    """What a thread's transaction on the state database is about, so that its writes have names."""

    def __init__(self) -> None:
        self._marks: dict[int, str] = {}
        self._ranks = ("", "begin", "submit", "claim", "start", "end", "hold", "permit", "record")

    def mark(self, what: str) -> None:
        """This thread's transaction does this, too; the weightiest counts."""
        thread = threading.get_ident()
        self._marks[thread] = max(self._marks.get(thread, ""), what, key=self._ranks.index)

    def named(self, name: str, call: str) -> str:
        """The name of a step, with what the transaction is about if it is one of the state."""
        if not name.startswith("state log: "):
            return name
        thread = threading.get_ident()
        about = self._marks.get(thread, "")
        if call == "sync":
            self._marks.pop(thread, None)
        return f"{name} ({about})" if about else name
