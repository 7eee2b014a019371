"""For tests of pipelines: a temporary instance, values that assets are said to have, ops replaced, plans asserted.

Example:
    >>> from opgraph.testing import run
    >>> run([flights, delays], given={"flights": rows}).asset_value("delays")
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opgraph.testing.given import pretend as pretend
    from opgraph.testing.given import run as run
    from opgraph.testing.home import temporary_instance as temporary_instance
    from opgraph.testing.plans import PlanAssertion as PlanAssertion
    from opgraph.testing.plans import assert_plan as assert_plan
    from opgraph.testing.replacing import replace_ops as replace_ops

# Imported when a name is first used: pytest imports this package at every start, for the plugin.
_HOMES = {
    "PlanAssertion": "plans",
    "assert_plan": "plans",
    "pretend": "given",
    "replace_ops": "replacing",
    "run": "given",
    "temporary_instance": "home",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'opgraph.testing' has no attribute {name!r}")
    value = getattr(import_module(f"opgraph.testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
