"""The wheel's build hook: the web UI is built into the package.

A wheel without it is refused. An editable install goes on without it, because everything but the pages works; they say
themselves how to build them.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "tools"))
from build_ui import BuildError, build


class UiHook(BuildHookInterface[Any]):
    """Called by hatchling before it collects the package's files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the UI; `version` is "standard" or "editable"."""
        try:
            build()
        except BuildError as error:
            if version != "editable":
                raise
            self.app.display_warning(f"Installed without the web UI (`make ui` builds it): {error}")
