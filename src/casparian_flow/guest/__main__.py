"""The guest's first file, started as `python -I -S <this file> ROLE FD...`: opens the product's doors, then works.

Of the product only `sdk` and `guest` can be imported, here and in the parser. Until the parser's environment is on the
path only the standard library exists. The roles are a guest (`guest SOCKET LIFE LOG PATH...`) and a zygote (`zygote
CONTROL LIFE`).
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
    """Open the packages and take the role."""
    role, *given = sys.argv[1:]
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is not needed yet
    root = types.ModuleType(PRODUCT)
    root.__path__ = []
    sys.modules[PRODUCT] = root
    expose("sdk", os.path.join(os.path.dirname(here), "sdk"))  # noqa: PTH118, PTH120
    expose("guest", here)
    faulthandler.enable()
    sys.argv[:] = [PRODUCT]
    if role == "zygote":
        from casparian_flow.guest import zygote  # noqa: PLC0415 - importable only now

        zygote.serve(*map(int, given))
    else:
        from casparian_flow.guest import attend  # noqa: PLC0415 - importable only now

        line, life, log = map(int, given[:3])
        attend.attend(line, life, log, given[3:])


if __name__ == "__main__":
    main()
