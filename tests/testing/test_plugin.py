"""The pytest plugin."""

import subprocess
import sys
from importlib.metadata import entry_points

from opgraph import AssetSpec, Instance, asset


@asset
def table(rows):
    return sum(rows)


def test_fixtures(opgraph_instance, opgraph_run, opgraph_pretend, opgraph_plan):
    """The fixtures are there without an import, and share one instance."""
    assert Instance.get().home == opgraph_instance.home
    opgraph_pretend({"rows": [1, 2]})
    both = [table, AssetSpec("rows")]
    opgraph_plan(both).runs("table").loads_unrecorded()
    assert opgraph_run(both).asset_value("table") == 3
    assert opgraph_run(table, given={"rows": [5]}).asset_value("table") == 5
    assert len(opgraph_instance.get_runs()) == 4


def test_the_start_of_pytest_stays_fast():
    """Loading the plugin imports nothing of opgraph that costs time."""
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"  # a measurement of coverage has loaded some already
        "import opgraph.testing.plugin\n"
        "libraries = ('msgspec', 'pydantic', 'rich', 'click', 'sqlite3')\n"
        "heavy = [m for m in sys.modules.keys() - before if m.split('.')[0] in libraries]\n"
        "rooms = ('declare.op', 'resolve', 'plan', 'run', 'record', 'operate', 'show')\n"
        "heavy += [m for m in sys.modules if any(m.startswith(f'opgraph.{room}') for room in rooms)]\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_plugin_is_an_entry_point():
    """Pytest finds the plugin by itself where opgraph is installed."""
    found = [each.value for each in entry_points(group="pytest11") if each.name == "opgraph"]
    assert found == ["opgraph.testing.plugin"]
