"""Write src/opgraph/__init__.pyi, which tells type checkers what `opgraph/__init__.py` exports lazily."""

import sys
from pathlib import Path

import opgraph
from opgraph.not_yet import NOT_YET, NOT_YET_RAISED

STUB = Path(__file__).parent.parent / "src" / "opgraph" / "__init__.pyi"


def stub() -> str:
    """The stub's text: homes, names that are not built yet, and the prefixed aliases."""
    homes = {module: names for module, names in opgraph._HOMES.items() if names}  # noqa: SLF001  the table is the source
    lines = ["# Written by tools/write_stub.py from the table in __init__.py; do not edit.", ""]
    for module in sorted([*homes, "opgraph.not_yet"]):
        names = homes.get(module) or ("Placeholder", *NOT_YET_RAISED)
        lines += [f"from {module} import {name} as {name}" for name in sorted(names)]
    lines += ["", "__version__: str", ""]
    lines += [f"{name}: Placeholder" for name in sorted(NOT_YET)]
    lines += ["", *(f"{alias} = {name}" for alias, name in sorted(opgraph._ALIASES.items()))]  # noqa: SLF001  as above
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
    sys.stdout.write(f"{STUB.name}: {len(opgraph._MODULE_OF)} names, {len(NOT_YET)} not yet\n")  # noqa: SLF001  as above
