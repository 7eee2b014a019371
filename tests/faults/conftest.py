"""What the fault tests share: imports by name, the figure that a test holds, and the table of the last long run.

A test says `@pytest.mark.figure("R4")` and calls `counted(1000)`. At the end of `make soak` (OPGRAPH_SOAK=1) what each
figure came to is written into the table of docs/faults.md.
"""

import os
import shutil
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "properties")]
from report import DEFS, HERE  # noqa: E402 - found by the line above

from opgraph.operate.execute import materialize  # noqa: E402
from opgraph.run.instance import Instance  # noqa: E402

PAGE = Path(__file__).parent.parent.parent / "docs" / "faults.md"
SOAK = bool(os.environ.get("OPGRAPH_SOAK"))
tests, failed, counts = Counter[str](), Counter[str](), Counter[str]()


def pytest_configure(config):
    config.addinivalue_line("markers", "figure(name): a figure that docs/faults.md lists")


@pytest.fixture(autouse=True)
def _figures(request):
    request.node.user_properties += [("figure", mark.args[0]) for mark in request.node.iter_markers("figure")]


@pytest.fixture
def counted(request):
    """How many states, deaths, moments, … the test went through."""
    return lambda number: request.node.user_properties.append(("counted", number))


def pytest_runtest_logreport(report):
    if report.when != "call" and not report.failed:
        return
    number = sum(value for name, value in report.user_properties if name == "counted")
    for name, figure in report.user_properties:
        if name == "figure":
            tests[figure] += 1
            failed[figure] += report.failed
            counts[figure] += number


def pytest_terminal_summary(terminalreporter):
    if not SOAK or not tests:
        return
    lines = PAGE.read_text().splitlines()
    today = datetime.now(UTC).date().isoformat()
    for i, line in enumerate(lines):
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        figure = cells[0]
        if line.startswith("| R") and tests[figure]:
            count = f"{counts[figure]:,}" if counts[figure] else f"{tests[figure]} tests"
            cells[-2] = f"{count}: {f'{failed[figure]} of {tests[figure]} tests failed' if failed[figure] else 'held'}"
            cells[-1] = today
            lines[i] = f"| {' | '.join(cells)} |"
            terminalreporter.write_line(lines[i])
    PAGE.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folders(tmp_path):
    """Makes folders whose home holds version 1 of the asset, to be made anew as version 2."""
    first = tmp_path / "first"
    (first / "home").mkdir(parents=True)
    (first / "version").write_text("1")
    HERE["folder"] = first
    with Instance(first / "home") as instance:
        materialize(DEFS, instance=instance)
    (first / "version").write_text("2")
    (first / "ran").unlink()
    number = iter(range(10_000))

    def make():
        HERE["folder"] = shutil.copytree(first, tmp_path / f"f{next(number)}")
        return HERE["folder"]

    return make
