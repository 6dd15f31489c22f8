"""The guest's first file, started as `python -I -S <this file> SOCKET LIFE LOG`: prepares the process, then parses.

Until the parser's environment is on the path only the standard library exists. Of the product only `sdk` and `guest`
can be imported, here and in the parser.
"""

import faulthandler
import importlib.util
import os
import sys
import types

PRODUCT = "casparian_flow"


def expose(package: str, folder: str) -> None:
    """Make one package of the product importable, and none of its siblings."""
    spec = importlib.util.spec_from_file_location(
        f"{PRODUCT}.{package}", f"{folder}/__init__.py", submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    setattr(sys.modules[PRODUCT], package, module)
    spec.loader.exec_module(module)


def main() -> None:
    """Take the order, shut the doors, open the environment, parse."""
    socket, life, log = map(int, sys.argv[1:4])
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is not needed yet
    root = types.ModuleType(PRODUCT)
    root.__path__ = []
    sys.modules[PRODUCT] = root
    expose("sdk", os.path.join(os.path.dirname(here), "sdk"))  # noqa: PTH118, PTH120
    expose("guest", here)

    from casparian_flow.guest import shield, wire  # noqa: PLC0415 - importable only now

    for fd in (socket, life, log):
        os.set_inheritable(fd, False)
    faulthandler.enable()
    shield.die_with_host(life)
    shield.adopt_orphans()
    line = wire.Wire(socket)
    order = line.receive_order()
    shield.limit(order["limits"])
    shield.open_log(log)
    sys.argv[:] = [PRODUCT]
    sys.path.extend(order["site"])
    line.send(wire.Kind.HELLO, {"protocol": wire.PROTOCOL, "python": sys.version.split()[0]})
    line.flush()

    from casparian_flow.guest import runner  # noqa: PLC0415 - needs the environment

    runner.run(line, order)


if __name__ == "__main__":
    main()
