"""What the API answers: assets and where they stand, drawings, forms, plans, lists, lines, files."""

import json
import re

import pytest
from real_server import Server, ids, made_project, until

from opgraph.operate.project import locate
from opgraph.show.web.app import Files
from opgraph.show.web.definitions import Loaded
from opgraph.show.web.openapi import api_only
from opgraph.show.web.reports import Refused

LINE = """
from opgraph import Definitions, asset

@asset
def first():
    return 1

@asset
def second(first):
    return first + 1

@asset
def third(second):
    return 3

@asset(deps=[first])
def beside():
    return 4

defs = Definitions(assets=[first, second, third, beside])
"""


def states(server):
    return {each["key"]: (each["status"], each["why"]) for each in server.get("assets")["assets"]}


def test_staleness_says_why(tmp_path):
    """An asset is stale where its code changed, where what it read has a newer version, and below one that is stale;
    a newer version with the same content makes nothing stale, also where it only had to be there."""
    made_project(tmp_path, LINE)
    server = Server(tmp_path).ready()
    assert states(server) == dict.fromkeys(("first", "second", "third", "beside"), ("never", ""))
    server.run(selection="*")
    assert states(server) == dict.fromkeys(("first", "second", "third", "beside"), ("fresh", ""))
    server.run(selection="first")
    assert states(server)["second"] == states(server)["beside"] == ("fresh", "")
    before = server.get("project")["manifest"]
    (tmp_path / "project.py").write_text(LINE.replace("return 1", "return 10"))
    until(lambda: server.get("project")["manifest"] != before)
    assert states(server) == {
        "first": ("stale", "its code has changed"),
        "second": ("stale", "it is made from `first`, which is stale"),
        "third": ("stale", "it is made from `second`, which is stale"),
        "beside": ("stale", "it is made from `first`, which is stale"),
    }
    server.run(selection="first")
    assert states(server)["first"] == ("fresh", "")
    assert states(server)["second"] == states(server)["beside"] == ("stale", "`first` has a newer version")
    page = server.get(f"assets/{ids(server.get('assets')['assets'])['second']}")
    assert [each["newer_exists"] for each in page["materialization"]["inputs"]] == [True]
    server.close()


def test_assets_are_selected(client):
    """The query is a selection; one that can't be read is a 400 that says where."""
    assert [each["key"] for each in client.get("/api/assets", params={"query": "group:raw"}).json()["assets"]] == [
        "orders"
    ]
    reply = client.get("/api/assets", params={"query": "orders and ("})
    assert reply.status_code == 400
    assert "position" in reply.json()["text"]
    revenue = next(each for each in client.get("/api/assets").json()["assets"] if each["key"] == "revenue")
    assert (revenue["graph_backed"], revenue["op_count"], revenue["kind"]) == (True, 4, "graph")
    orders = client.get(f"/api/assets/{revenue['upstream'][0]}").json()
    assert (orders["owners"], orders["group"], orders["kinds"]) == (["team:data"], "raw", ["csv"])
    assert orders["file"].endswith("project.py")
    assert orders["line"] > 1
    assert [each["key"] for each in orders["children"]] == ["dies", "revenue"]


def drawn(client, **params):
    """A drawing's boxes, each whole, and its edges, by the ids of their ends."""
    reply = client.get("/api/drawing", params=params).json()
    columns, edges = reply["nodes"], reply["edges"]
    boxes = [dict(zip(columns, each, strict=True)) for each in zip(*columns.values(), strict=True)]
    ends = zip(edges["source"], edges["target"], strict=True)
    return boxes, [(boxes[source]["id"], boxes[target]["id"]) for source, target in ends], reply


def test_a_drawing_opens_in_place(client):
    """An opened asset has its ops inside its box, with the keys of their steps; a folded group is one node; `*` opens
    all there is, nested graphs too."""
    shut, _, _ = drawn(client)
    revenue = next(box for box in shut if box["label"] == "revenue")
    assert (revenue["opens"], [box for box in shut if box["parent"] == shut.index(revenue)]) == (1, [])
    opened, edges, reply = drawn(client, open=revenue["asset"])
    box = next(box for box in opened if box["id"] == revenue["id"])
    inside = [each for each in opened if each["parent"] == opened.index(box)]
    assert {each["id"] for each in inside} >= {"op:revenue.clean", "op:revenue.total"}
    for each in inside:
        assert box["x"] <= each["x"]
        assert each["x"] + each["width"] <= box["x"] + box["width"]
    assert ("asset:orders", "op:revenue.clean") in edges
    assert (reply["edges"]["until"][-1], len(reply["edges"]["until"])) == (len(reply["edges"]["points"]), len(edges))
    everything, _, _ = drawn(client, open="*")
    assert {each["id"] for each in opened} <= {each["id"] for each in everything}
    assert not any(each["opens"] for i, each in enumerate(everything) if i not in {box["parent"] for box in everything})
    said = dict(zip(edges, reply["edges"]["said"], strict=True))
    assert said["asset:orders", "op:revenue.clean"].startswith("orders")
    assert {len(each) for each in reply["edges"].values() if each is not reply["edges"]["points"]} == {len(edges)}
    assert len(drawn(client, query="+revenue")[0]) < len(shut)


def test_a_job_of_ops_is_drawn_by_its_name(client):
    """A job's ops, with the keys of their steps; of a job of assets, those; a name that no job has is refused."""
    boxes, _, _ = drawn(client, job="greeting")
    assert [(box["id"], box["kind"]) for box in boxes] == [("op:hello", "op")]
    assert {box["label"] for box in drawn(client, job="everything")[0]} == {"raw", "orders", "revenue"}
    reply = client.get("/api/drawing", params={"job": "greetin"})
    assert (reply.status_code, "greeting" in reply.json()["text"]) == (400, True)


def test_a_drawing_is_sent_compressed_to_who_takes_it_so(client):
    """The same drawing, packed or not."""
    packed = client.get("/api/drawing")
    plain = client.get("/api/drawing", headers={"Accept-Encoding": "identity"})
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert packed.json() == plain.json()


def test_a_form_asks_for_what_can_be_set(client):
    """Each setting is a field with its flat key, type, default and choices; a secret shows no default."""
    fields = {each["path"]: each for each in client.post("/api/form", json={"selection": "+revenue"}).json()["fields"]}
    assert list(fields) == ["revenue.clean.threshold", "revenue.clean.mode", "revenue.clean.password"]
    threshold, mode, password = fields.values()
    assert (threshold["type"], threshold["default"], threshold["required"]) == ("float", 0.5, False)
    assert (mode["type"], mode["choices"]) == ("enum", ["keep", "drop"])
    assert (password["secret"], password["default"]) == (True, None)


def test_a_plan_says_what_and_why(client):
    """Every step has a decision with its reason; mistakes of the request are in `problems`, all at once."""
    plan = client.post("/api/plan", json={"selection": "+revenue", "config": {"revenue.clean.threshold": 2}}).json()
    assert plan["counts"] == {"run": 5}
    clean = next(step for step in plan["steps"] if step["key"] == "revenue.clean")
    assert (clean["decision"], clean["config"]["threshold"], clean["path"]) == ("run", 2.0, ["revenue", "clean"])
    assert clean["reason"]
    wrong = {"selection": "+revenue", "config": {"revenue.clean.threshold": "x", "revenue.nothing": 1}}
    problems = client.post("/api/plan", json=wrong).json()["problems"]
    assert len(problems) == 2
    assert all(each["text"] and each["fix"] for each in problems)
    (mistyped,) = client.post("/api/plan", json={"selection": 'key:"a//b"'}).json()["problems"]
    assert (mistyped["kind"], mistyped["file"]) == ("BadAssetKey", "")  # it stands in no file
    job = client.post("/api/plan", json={"job": "greeting"}).json()
    assert [step["key"] for step in job["steps"]] == ["hello"]


def test_lists_are_paged(server):
    """The runs come newest first, page by page, each once; filters hold over all pages."""
    made = [server.run(selection="orders")["run_id"] for _ in range(3)]
    job = server.run(job="greeting")
    assert (job["status"], job["job"]) == ("SUCCESS", "greeting")
    seen, cursor = [], ""
    while cursor is not None:
        page = server.get("runs", limit=2, cursor=cursor)
        assert len(page["runs"]) <= 2
        seen += [each["run_id"] for each in page["runs"]]
        cursor = page["cursor"]
    assert seen[:4] == [job["run_id"], *reversed(made)]
    assert len(set(seen)) == len(seen)
    orders = ids(server.get("assets")["assets"])["orders"]
    assert [each["run_id"] for each in server.get("runs", asset=orders)["runs"]] == list(reversed(made))
    assert server.get("runs", status="FAILURE")["runs"] == []
    assert server.get("runs", by="nobody-of-that-name")["runs"] == []
    lanes = [each["run_id"] for each in server.get("timeline")["lanes"]]
    assert set(made) <= set(lanes)
    versions, cursor = [], ""
    while cursor is not None:
        page = server.get(f"assets/{orders}/history", limit=2, cursor=cursor)
        versions += [each["run_id"] for each in page["materializations"]]
        cursor = page["cursor"]
    assert versions == list(reversed(made))


def test_lines_are_filtered_and_paged(server):
    """Lines come in order, each once, of the kinds, levels, steps and words that were asked for."""
    run = server.run(selection="+revenue")["run_id"]
    everything = "log,stdout,stderr,event"
    whole = server.get(f"runs/{run}/logs", kinds=everything)
    assert not whole["more"]
    assert [line["time"] for line in whole["lines"]] == sorted(line["time"] for line in whole["lines"])
    seen, after, more = [], "", True
    while more:
        page = server.get(f"runs/{run}/logs", kinds=everything, limit=3, after=after)
        seen += [line["id"] for line in page["lines"]]
        after, more = page["after"], page["more"]
    assert seen == [line["id"] for line in whole["lines"]]
    texts = [line["text"] for line in server.get(f"runs/{run}/logs", kinds="log", level="INFO")["lines"]]
    assert texts == ["threshold 0.5, password None"]
    assert len(server.get(f"runs/{run}/logs", kinds="log", level="DEBUG")["lines"]) == 2
    assert [line["step"] for line in server.get(f"runs/{run}/logs", search="ORDERS WERE")["lines"]] == ["orders"]
    double = next(row for row in server.get(f"runs/{run}/tree")["rows"] if row["path"] == "revenue.double")
    events = server.get(f"runs/{run}/logs", kinds="event", step=double["n"])["lines"]
    assert {line["step"] for line in events} == {f"revenue.double[k{i}]" for i in range(3)}


def test_rows_of_a_tree_are_paged(server):
    """Dagster #22275, Prefect #16081: a run is rows that open: graphs, and fan-outs, which are one row until one asks
    for their keys; the tree comes in pages, and so do the keys."""
    run = server.run(selection="+revenue")["run_id"]
    whole = server.get(f"runs/{run}/tree")
    pages, cursor = [], ""
    while cursor is not None:
        page = server.get(f"runs/{run}/tree", limit=2, cursor=cursor)
        pages += page["rows"]
        cursor = page["cursor"]
    assert pages == whole["rows"]
    assert whole["total"] == len(pages)
    double = next(row["id"] for row in pages if row["path"] == "revenue.double")
    page = server.get(f"runs/{run}/tree", parent=double, limit=2)
    assert ([row["name"] for row in page["rows"]], page["total"], page["cursor"]) == (["[k0]", "[k1]"], 3, "2")
    assert server.client.get(f"/api/runs/{run}/tree?parent=s999").status_code == 404


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("assets/no id", "NoSuchAsset"),
        ("assets/0123456789abcdeg/history", "NoSuchAsset"),
        ("runs/a*b", "NoSuchRun"),
        ("runs/a-run/steps/-1", "NoSuchStep"),
    ],
)
def test_an_address_that_cannot_be_one(client, path, kind):
    """What is not even an id is answered like an id that nothing has, in words for people."""
    reply = client.get(f"/api/{path}")
    assert (reply.status_code, reply.json()["kind"]) == (404, kind)
    assert reply.json()["text"].startswith("there is no such ")


def test_what_values_look_like(server):
    """An asset's page and a step's outputs have previews; the server has loaded no value for them."""
    run = server.run(selection="+report")["run_id"]
    report = server.get(f"assets/{ids(server.get('assets')['assets'])['report']}")["materialization"]
    assert report["preview"]["text"] == "revenue: 12"
    shown = {}
    for step in range(server.get(f"runs/{run}/tree")["total"]):
        reply = server.client.get(f"/api/runs/{run}/steps/{step}")
        if reply.status_code == 200:
            shown[reply.json()["key"]] = [each["preview"] for each in reply.json()["outputs"]]
    assert shown["revenue.clean"][0]["text"] == "[1, 2, 3]"
    assert shown["revenue.clean"][0]["shape"] == [3]
    assert [each["text"] for each in shown["revenue.pieces"]] == ["1", "2", "3"]


def test_intermediates_are_cleaned(server):
    """Cleaning says first what would go; then it goes, the asset's own value stays, and the next plan says why it
    runs again."""
    run = server.run(selection="+revenue")["run_id"]
    revenue = ids(server.get("assets")["assets"])["revenue"]
    kept = server.get(f"assets/{revenue}")["disk"]["intermediates"]
    would = server.post(f"assets/{revenue}/clean", {}, 200)
    assert (would["dry_run"], would["size"]) == (True, kept)
    assert kept > 0
    done = server.post(f"assets/{revenue}/clean", {"dry_run": False}, 200)
    assert done["size"] == kept
    after = server.get(f"assets/{revenue}")
    assert (after["disk"]["intermediates"], after["status"]) == (0, "fresh")
    assert after["disk"]["values"] > 0
    assert [each["kept"] for each in server.get(f"runs/{run}/steps/1")["outputs"]] == [False]
    plan = server.post("plan", {"parent": run, "mode": "from", "steps": ["revenue.total"]}, 200)
    assert "cleaned" in {step["why"] for step in plan["steps"]}


def test_pages_are_served(tmp_path, client):
    """Built files are served by their names; every other address gets the first page; nothing else is read."""
    assert "not built" in Files(tmp_path).reply("/").body.decode()
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>first")
    (tmp_path / "assets" / "app-1.js").write_text("let x")
    (tmp_path / ".hidden").write_text("hidden")
    files = Files(tmp_path)
    script = files.reply("/assets/app-1.js")
    assert (script.body, script.media_type) == (b"let x", "text/javascript")
    assert "immutable" in script.headers["cache-control"]
    for path in ("/", "/runs/abc", "/.hidden", "/../secret", "/assets/../index.html", "/index.htm"):
        assert files.reply(path).body == b"<!doctype html>first"
    assert files.reply("/").headers["cache-control"] == "no-cache"
    assert "/api/runs" in client.get("/api/docs").text


def test_the_kept_description_is_the_apis(pytestconfig):
    """ui/openapi.json, from which the pages' types are made, is what the API says of itself."""
    kept = pytestconfig.rootpath / "ui" / "openapi.json"
    if not kept.exists():
        pytest.skip("no sources of the pages here")
    assert json.loads(kept.read_text()) == json.loads(json.dumps(api_only()))


def test_a_child_that_hangs_is_ended(tmp_path, monkeypatch):
    """A question that is not answered in time is a 503, and the definitions are loaded by a new process."""
    monkeypatch.setattr("opgraph.show.web.definitions._ANSWER", 2.0)
    slow = "import time\nfrom opgraph import *\n@config_mapping\ndef slow(given):\n    time.sleep(60)\n    return {}\n"
    made_project(tmp_path, slow + "@op\ndef hello(): pass\n@job(config=slow)\ndef greeting():\n    hello()\n")
    loaded = Loaded(locate("project.py", start=tmp_path, environment={}))
    loaded.load()
    assert loaded.state().status == "ready"
    with pytest.raises(Refused) as refused:
        loaded.ask("plan", job="greeting")
    assert refused.value.status == 503
    assert "took longer" in refused.value.problem.text

    def answers():
        try:
            return loaded.ask("select", query="*") == []
        except Refused:
            return False

    until(answers)
    loaded.close()


def test_nothing_points_outside(client):
    """No page and no part of the API's description makes a browser ask anyone else."""
    for path in ("/", "/api/docs", "/login", "/openapi.json"):
        found = re.findall(r'(?:src|href|action)="(?!/)[^"]*"', client.get(path).text)
        assert [each for each in found if "://" in each or '"//' in each] == []
