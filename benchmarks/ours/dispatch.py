"""How long a free slot waits for its next order over real ZeroMQ, in milliseconds, as JSON: FOLDER ORDERS."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.ours.queued import Talker, open_loop, queue_jobs
from casparian_flow.protocol.codec import from_sentinel
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.protocol.zmq_dealer import ZmqDealer
from casparian_flow.protocol.zmq_router import ZmqRouter

PATIENCE = 30.0


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    with TemporaryDirectory(prefix="cf-", dir="/tmp") as near:  # the folder given may be too deep for a socket
        print(json.dumps(measured(folder, f"ipc://{near}/workers", count)))


def measured(folder: Path, address: str, count: int) -> list[float]:
    """How long each order was waited for, in milliseconds."""
    router = ZmqRouter([address])
    loop = open_loop(queue_jobs(folder / "state.sqlite3", count), router)
    served = threading.Thread(target=loop.serve)
    served.start()
    dealer = ZmqDealer(address, "w")
    try:
        waits = ask_for_orders(dealer, Talker("w", 1), count)
    finally:
        dealer.close()
        loop.stop()
        served.join()
        router.close()
    return waits


def ask_for_orders(dealer: ZmqDealer, talker: Talker, count: int) -> list[float]:
    """From each word that a slot is free until its order is there."""
    while not dealer.is_connected:  # until then it keeps only its newest words
        dealer.receive(0.01)
    waits: list[float] = []
    asked = time.perf_counter()
    words = talker.join()
    while talker.done < count:
        for word in words:
            asked = time.perf_counter()
            dealer.send(word)
        data = dealer.receive(PATIENCE)
        if data is None:
            raise RuntimeError("the sentinel says nothing")
        if from_sentinel(data).opcode is Opcode.DISPATCH:
            waits.append(1000 * (time.perf_counter() - asked))
        words = talker.answer(data)
    return waits


if __name__ == "__main__":
    main()
