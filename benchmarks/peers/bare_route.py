"""Serves one bare route of Starlette on a Unix socket until it is ended: SOCKET."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def answer(_request: Request) -> JSONResponse:
    """The smallest answer."""
    return JSONResponse({})


def main() -> None:
    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    uvicorn.run(app, uds=sys.argv[1], log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
