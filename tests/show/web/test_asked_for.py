"""What users of such systems ask of the web UI, as its API answers it: numbers are of dagster's issues that ask for it,
where nothing else is said."""

import time
from pathlib import Path

import pytest
from real_server import Server, ids, made_project, until

PROJECT = """
import time
from pathlib import Path

from opgraph import Config, Definitions, asset, graph, graph_asset, op

HERE = Path(__file__).parent


class Limits(Config):
    most: int
    least: int = 0


@op
def limited(config: Limits):
    return config.most


@op
def same(x):
    return x


@graph
def inner():
    return same(limited())


@graph_asset(config={"inner": {"ops": {"limited": {"config": {"most": 5}}}}})
def bounds():
    return same(inner())


@asset
def rows():
    return list(range(int((HERE / "count").read_text())))


@asset
def talks():
    print("it began", flush=True)
    while not (HERE / "enough").exists():
        time.sleep(0.02)


def link(number):
    @asset(name=f"link_{number}", group_name="chain", deps=[f"link_{number - 1}"] if number else [])
    def made() -> None: ...

    return made


defs = Definitions(assets=[bounds, rows, talks, *(link(number) for number in range(500))])
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A server of that project."""
    made = Server(made_project(tmp_path_factory.mktemp("asked"), PROJECT))
    yield made.ready()
    made.close()


def test_the_configuration_of_a_graph_asset(asked):
    """#23890: at launch one sees what a graph asset's ops are configured with, and what is changed there holds."""
    body = {"selection": "bounds"}
    fields = {each["path"]: each for each in asked.post("form", body, 200)["fields"]}
    most = fields["bounds.inner.limited.most"]
    assert (most["default"], most["required"]) == (5, False)
    assert fields["bounds.inner.limited.least"]["default"] == 0
    body["config"] = {"bounds.inner.limited.most": 6}
    step = next(each for each in asked.post("plan", body, 200)["steps"] if each["key"] == "bounds.inner.limited")
    assert step["config"] == {"most": 6, "least": 0}
    asked.run(**body)
    asset = asked.get(f"assets/{ids(asked.get('assets')['assets'])['bounds']}")
    assert asset["materialization"]["preview"]["text"] == "6"


def test_graphs_are_no_ops(asked):
    """#12836: the ops of an asset are its ops, those of nested graphs too, and no graph is among them; in a run, graphs
    are rows of their own kind."""
    bounds = next(each for each in asked.get("assets")["assets"] if each["key"] == "bounds")
    assert bounds["op_count"] == 3
    paths = [each["path"] for each in asked.get(f"assets/{bounds['id']}")["ops"]]
    assert paths == ["inner.limited", "inner.same", "same"]
    run = asked.run(selection="bounds")["run_id"]
    kinds = {row["path"]: row["kind"] for row in asked.get(f"runs/{run}/tree")["rows"]}
    assert kinds == {
        "bounds": "asset", "bounds.inner": "graph", "bounds.inner.limited": "op", "bounds.inner.same": "op",
        "bounds.same": "op",
    }  # fmt: skip


def test_what_an_op_says_is_there_while_it_runs(asked):
    """#4341: the lines of an op are served while it runs, not at its end."""
    run = asked.post("runs", {"selection": "talks"}, 202)["run_id"]
    until(lambda: [line["text"] for line in asked.get(f"runs/{run}/logs")["lines"]] == ["it began"])
    assert asked.get(f"runs/{run}")["status"] == "STARTED"
    (asked.folder / "enough").touch()
    assert asked.ended(run)["status"] == "SUCCESS"


def test_sizes_of_values(asked):
    """Kedro #1084: each version of an asset has its size, so that one sees which of them shrank; of the last one it is
    known how many items it has, and of its ops how much each gave."""
    for count in (1000, 10):
        (asked.folder / "count").write_text(str(count))
        asked.run(selection="rows")
    rows = ids(asked.get("assets")["assets"])["rows"]
    last, before = asked.get(f"assets/{rows}/history")["materializations"]
    assert 0 < last["size"] < before["size"] / 10
    page = asked.get(f"assets/{rows}")
    assert page["materialization"]["preview"]["shape"] == [10]
    assert [each["size"] for each in page["ops"]] == [last["size"]]


def test_five_hundred_assets_in_a_row(asked):
    """#18756: how each of 500 assets stands, each made from the one before, takes no longer to say than
    a hundred answers about one asset; and a small answer is not held back, as TCP does unless told
    otherwise."""
    assert asked.run(selection="group:chain")["status"] == "SUCCESS"

    def took(query):
        began = time.perf_counter()
        assets = asked.get("assets", query=query)["assets"]
        return time.perf_counter() - began, {each["status"] for each in assets}, len(assets)

    floor = min(took("bounds")[0] for _ in range(20))
    seconds, statuses, count = min(took("group:chain") for _ in range(5))
    assert (statuses, count) == ({"fresh"}, 500)
    assert floor < seconds < 100 * floor


def memory(server):
    """Of the server and of the process of the definitions, in KB."""
    pids = [server.process.pid]
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and f"\nPPid:\t{server.process.pid}\n" in (each / "status").read_text():
            pids.append(int(each.name))
    return [
        int(line.split()[1])
        for pid in pids
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]


def test_a_server_does_not_grow(asked):
    """#18997: pages that are asked for again and again leave nothing behind, neither in the server nor in the process
    of the definitions."""
    run = asked.run(selection="bounds")["run_id"]
    bounds = ids(asked.get("assets")["assets"])["bounds"]

    def rounds(count):
        for _ in range(count):
            for path in ("project", "assets", "runs", f"runs/{run}/tree", f"runs/{run}/logs", f"assets/{bounds}"):
                asked.get(path)
            asked.post("plan", {"selection": "bounds"}, 200)
        return memory(asked)

    before = rounds(10)
    after = rounds(40)
    assert len(before) == 2
    assert all(late - early < 2000 for early, late in zip(before, after, strict=True))
