"""How long a message takes from a bare DEALER to a bare ROUTER and back, in milliseconds, as JSON: FOLDER COUNT."""

from __future__ import annotations

import json
import os
import sys
import threading
import time

import zmq

SIZE = 800
"""Bytes; about an order for one file."""


def main() -> None:
    count = int(sys.argv[2])
    address = f"ipc:///tmp/casparian-echo-{os.getpid()}"  # the folder given may be too deep for a socket
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.bind(address)
    thread = threading.Thread(target=_echo, args=(router, count))
    thread.start()
    dealer = context.socket(zmq.DEALER)
    dealer.connect(address)
    waits = []
    for _ in range(count):
        asked = time.perf_counter()
        dealer.send(bytes(SIZE))
        dealer.recv()
        waits.append(1000 * (time.perf_counter() - asked))
    thread.join()
    dealer.close()
    router.close()
    context.term()
    print(json.dumps(waits))


def _echo(router: zmq.Socket[bytes], count: int) -> None:
    for _ in range(count):
        router.send_multipart(router.recv_multipart())


if __name__ == "__main__":
    main()
