"""A project in a folder of its own, `opgraph dev` for it, and Debian's Chromium to look at it with."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
STATIC = Path(__file__).parents[2] / "src" / "opgraph" / "show" / "web" / "static"

PROJECT = """
import time
from pathlib import Path

from opgraph import Config, Definitions, DynamicOut, DynamicOutput, asset, graph, graph_asset, job, op

HERE = Path(__file__).parent


class Limits(Config):
    limit: int = 10
    strict: bool = True


@asset(group_name="raw", description="What was ordered.")
def orders(context):
    print("reading orders")
    context.add_output_metadata({"rows": 3})
    return [3, 1, 2]


@op
def clean(orders, config: Limits):
    print(f"limit is {config.limit}")
    return orders[: config.limit]


@op
def add_up(rows):
    if (HERE / "broken").exists():
        raise ZeroDivisionError("nothing to divide by")
    return sum(rows)


@graph_asset(description="All orders added up.")
def totals(orders):
    return add_up(clean(orders))


@op
def begin(orders):
    return orders


@op
def wait_for_it(context, rows):
    context.log.info("now it waits")
    for _ in range(1500):
        if (HERE / "go").exists():
            return rows
        time.sleep(0.02)


@graph_asset
def patient(orders):
    return wait_for_it(begin(orders))


@op(out=DynamicOut())
def deal(orders):
    for number in range(40):
        yield DynamicOutput(number, mapping_key=f"k{number}")


@op
def double(number):
    if number == 7 and (HERE / "broken").exists():
        raise ValueError("seven is not doubled")
    return number * 2


@op
def gather(numbers):
    return len(numbers)


@graph_asset
def fanned(orders):
    return gather(deal(orders).map(double).collect())


@graph
def twice(number):
    return double(number)


@op
def start():
    return 7


@job
def nightly():
    twice(start())


defs = Definitions(assets=[orders, totals, patient, fanned], jobs=[nightly])
"""


class Served:
    """A project that is served.

    Args:
        folder: where its `definitions.py` is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = PROJECT
        command = [sys.executable, "-m", "opgraph.show.cli.main", "dev", "-f", "definitions.py", "--port", "0"]
        self._process = subprocess.Popen(
            [*command, "--no-open"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if found := re.search(r"(http://\S+)/login\?token=\S+", line):
                self.login, self.url = found.group(0), found.group(1)
                return
        raise AssertionError("".join(said))

    def stop(self) -> None:
        """End the server. Its runs go on by themselves."""
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=20)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser."""
    api = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    if not (STATIC / "index.html").exists():
        pytest.skip("the web UI is not built: make ui")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Served]:
    """The project of these stories, served."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "definitions.py").write_text(PROJECT)
    project = Served(folder)
    yield project
    project.stop()


@pytest.fixture
def context(chromium: Any, served: Served) -> Iterator[Any]:
    """A browser's window that is signed in."""
    made = chromium.new_context(viewport={"width": 1280, "height": 820})
    made.set_default_timeout(20_000)
    made.request.get(served.login)
    yield made
    made.close()


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    """A page of it. Nothing that its scripts do may fail or be refused by the policy."""
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "console",
        lambda said: wrong.append(said.text) if said.type == "error" and "Failed to load" not in said.text else None,
    )
    yield opened
    assert wrong == []
