"""Write ui/openapi.json, from which the UI's types are generated: `python tools/write_openapi.py [--check]`."""

import json
import sys
from pathlib import Path

from opgraph.show.web.openapi import api_only

TARGET = Path(__file__).parent.parent / "ui" / "openapi.json"


def main() -> None:
    """Write the file, or with `--check` only say whether it is as it should be."""
    text = json.dumps(api_only(), indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            sys.exit("ui/openapi.json is not what the API is: run `python tools/write_openapi.py`")
        return
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
