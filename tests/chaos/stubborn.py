"""Parsers that cannot be stopped by asking; each tells who it is in a file `pids` beside its input."""

IGNORES_SIGNALS = """
import os, signal, time
def parse(path):
    for number in range(1, 64):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    (path.parent / "pids").write_text(str(os.getpid()))
    while True:
        time.sleep(3600)
    yield
"""

LOOPS_IN_C = """
import os
def parse(path):
    (path.parent / "pids").write_text(str(os.getpid()))
    sum(range(10**12))
    yield
"""

FORKS = """
import os, subprocess, time
def parse(path):
    near = subprocess.Popen(["sleep", "3600"])
    far = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    (path.parent / "pids.new").write_text(f"{os.getpid()} {near.pid} {far.pid}")
    (path.parent / "pids.new").rename(path.parent / "pids")
    time.sleep(3600)
    yield
"""

STUBBORN = {"ignores signals": IGNORES_SIGNALS, "loops in C": LOOPS_IN_C, "forks": FORKS}
