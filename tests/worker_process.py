"""A worker process for tests: `python worker_process.py ENDPOINT NAME SCRATCH`."""

from __future__ import annotations

import os
import signal
import sys
from functools import cache
from pathlib import Path

from casparian_flow import __version__
from casparian_flow.protocol.bodies import Identify
from casparian_flow.protocol.zmq_dealer import ZmqDealer
from casparian_flow.sinks.uri import open_sink
from casparian_flow.worker.execute import Tools
from casparian_flow.worker.launch import ISOLATION
from casparian_flow.worker.station import Station

endpoint, name, scratch = sys.argv[1:]
profile = Identify(worker=name, host="here", pid=os.getpid(), product=__version__, slots=1, isolation=ISOLATION)
station = Station(
    ZmqDealer(endpoint, name),
    profile,
    Tools(open_sink=cache(open_sink), scratch=Path(scratch)),
    lambda e, v: print(e, v, flush=True),
)
signal.signal(signal.SIGTERM, lambda *_: station.stop())
station.run()
