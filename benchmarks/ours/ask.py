"""Asks one path of a Unix socket again and again over one connection; seconds and requests as JSON.

SOCKET METHOD PATH COUNT
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from casparian_flow.clients.remote.endpoint import SocketEndpoint


def main() -> None:
    path, method, target, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    connection = SocketEndpoint(path).connect()
    began = time.perf_counter()
    for _ in range(count):
        connection.request(method, target, body=b"{}", headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {body[:500]!r}")
    print(json.dumps({"seconds": time.perf_counter() - began, "requests": count}))


if __name__ == "__main__":
    main()
