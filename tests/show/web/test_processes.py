"""Runs, definitions and the server are processes of their own: what holds between them."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from real_server import Server, events, made_project, until

from opgraph import (
    Definitions,
    DynamicOut,
    DynamicOutput,
    Instance,
    Out,
    Output,
    RetryPolicy,
    asset,
    define_asset_job,
    graph_asset,
    job,
    op,
)
from opgraph.events import RunStatus
from opgraph.operate import inspect
from opgraph.operate.execute import materialize, resume
from opgraph.operate.planning import plan_resume
from opgraph.operate.project import locate
from opgraph.record.rows import RunRow
from opgraph.run.report.made import past_of
from opgraph.show.web.assets import AssetPages
from opgraph.show.web.child import planned
from opgraph.show.web.followed import Following
from opgraph.show.web.live import Deltas
from opgraph.show.web.runs import RunPages
from opgraph.show.web.standing import Standing, spans


def test_a_run_is_launched_watched_and_shown(server):
    """A launched run succeeds, and its assets, tree, steps, logs and versions say so."""
    run = server.run(selection="+revenue", config={"revenue.clean.threshold": 1}, tags={"team": "a"}, why="to see")
    assert (run["status"], run["why"], run["tags"], run["selection"]) == (
        "SUCCESS", "to see", {"team": "a"}, ["orders", "revenue"],
    )  # fmt: skip
    assert run["counts"] == {"succeeded": 6}
    assets = {each["key"]: each for each in server.get("assets")["assets"]}
    assert assets["revenue"]["status"] == "fresh"
    assert assets["revenue"]["latest"]["run_id"] == run["run_id"]
    rows = {row["path"]: row for row in server.get(f"runs/{run['run_id']}/tree")["rows"]}
    assert rows["revenue"]["expandable"]
    assert rows["revenue.double"]["counts"] == {"succeeded": 2}
    keys = server.get(f"runs/{run['run_id']}/tree", parent=rows["revenue.double"]["id"])["rows"]
    assert [row["name"] for row in keys] == ["[k0]", "[k1]"]
    began = rows["revenue.pieces"]["started"]  # a key waits from the moment at which its value came, not from the run's
    assert all(row["started"] - row["times"]["queue_us"] / 1e6 > began - 0.001 for row in keys)
    step = server.get(f"runs/{run['run_id']}/steps/{rows['revenue.total']['n']}")
    assert (step["outputs"][0]["asset"], step["inputs"][0]["step"]) == ("revenue", "revenue.double")
    said = [line["text"] for line in server.get(f"runs/{run['run_id']}/logs")["lines"]]
    assert said[:2] == ["orders were read", "threshold 1.0, password None"]
    page = server.get(f"assets/{assets['revenue']['id']}")
    assert page["materialization"]["inputs"][0]["asset"] == "orders"
    assert [op["path"] for op in page["ops"]] == ["clean", "pieces", "double", "total"]
    assert page["ops"][0]["status"] == "succeeded"
    first = server.get(f"assets/{page['id']}", ops=1)
    assert (first["ops"], first["ops_in_all"]) == (page["ops"][:1], 4)
    assert page["ops"][2]["size"] == 2 * page["ops"][3]["size"]  # of a fan-out, that of all its keys
    assert server.get(f"assets/{page['id']}", op="revenue.pieces")["ops"] == page["ops"][1:2]
    short = server.get(f"assets/{page['id']}/ops")
    assert (short["runs"], short["run"], short["status"]) == ([run["run_id"]], [0] * 4, ["succeeded"] * 4)
    assert (short["key"], short["n"]) == ([op["key"] for op in page["ops"]], [op["n"] for op in page["ops"]])
    assert short["counts"] == {"revenue.double": {"succeeded": 2}}
    lasted = [round((rows[key]["ended"] - rows[key]["started"]) * 1e6) for key in short["key"]]
    assert short["took_us"] == lasted == [round(op["took"] * 1e6) for op in page["ops"]]  # as on the run's page
    fan = server.get(f"runs/{run['run_id']}/steps/{rows['revenue.double']['n']}")
    assert (fan["counts"], fan["size"]) == ({"succeeded": 2}, page["ops"][2]["size"])


def test_a_failure_says_the_users_line_first_and_is_resumed(server):
    """After a failure the page has the user's exception and line; resuming reuses what had succeeded, as its plan
    counts it, the steps of fan-outs too."""
    (server.folder / "fail").touch()
    run = server.run(selection="+report")
    assert run["status"] == "FAILURE"
    failure = run["failures"][0]
    assert (failure["key"], failure["error"]["kind"]) == ("report", "KeyError")
    assert failure["error"]["at"]["file"].endswith("project.py")
    assert failure["error"]["at"]["text"] == 'return found["nothing"]'
    report = next(each for each in server.get("assets")["assets"] if each["key"] == "report")
    assert (report["status"], report["why"], report["run_id"]) == ("failed", "KeyError: 'nothing'", run["run_id"])
    (server.folder / "fail").unlink()
    plan = server.post("plan", {"parent": run["run_id"], "mode": "failed"}, 200)
    decisions = {step["key"]: step["decision"] for step in plan["steps"]}
    assert (decisions["report"], decisions["orders"]) == ("run", "reuse")
    resumed = server.ended(server.post(f"runs/{run['run_id']}/resume", {}, 202)["run_id"])
    assert (resumed["status"], resumed["parent"]) == ("SUCCESS", run["run_id"])
    double = next(step for step in plan["steps"] if step["key"] == "revenue.double")
    assert double["keys"] == {"run": 0, "reuse": 3}
    assert (plan["counts"], resumed["counts"]) == ({"run": 1, "reuse": 7}, {"succeeded": 1, "reused": 7})
    assert resumed["run_id"] in server.get(f"runs/{run['run_id']}")["children"]


def test_a_run_is_taken_up_from_a_step_alone_or_anew(server):
    """`from` runs a step and what follows, `only` just the steps named, `all` everything, with nothing reused."""
    run = server.run(selection="+revenue")["run_id"]

    def did(mode, steps=()):
        made = server.ended(server.post(f"runs/{run}/resume", {"mode": mode, "steps": list(steps)}, 202)["run_id"])
        return made["counts"], made["parent"]

    assert did("from", ["revenue.total"]) == ({"succeeded": 1, "reused": 6}, run)
    assert did("only", ["orders"])[0]["succeeded"] == 1
    assert did("all") == ({"succeeded": 7}, run)


def test_a_run_is_cancelled(server):
    """Cancelling ends a run as CANCELED, and its assets say so; a run that has ended can't be cancelled. What it had
    not come to waited."""
    run = server.post("runs", {"selection": "slow or dies"}, 202)["run_id"]
    until((server.folder / "began").exists)
    found = {each["key"]: (each["status"], each["progress"]) for each in server.get("assets")["assets"]}
    assert (found["slow"][0], found["slow"][1]["running"]) == ("running", 1)
    assert (found["dies"][0], found["dies"][1]["running"]) == ("pending", 0)
    assert server.post(f"runs/{run}/resume", {})["kind"] == "RunGoesOn"
    assert server.post(f"runs/{run}/cancel", {}, 200) == {"asked": True, "status": "CANCELING"}
    assert server.ended(run)["status"] == "CANCELED"
    assert server.post(f"runs/{run}/cancel", {}, 200)["asked"] is False

    def said(key):
        return next((each["status"], each["run_id"]) for each in server.get("assets")["assets"] if each["key"] == key)

    until(lambda: said("slow") == said("dies") == ("canceled", run))


IMPORTED = """
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from opgraph import Definitions, asset

HERE = Path(__file__).parent
if (HERE / "slow").exists():
    time.sleep(3)
if (HERE / "broken").exists():
    raise ValueError("the settings are gone")


@asset
def made():
    return 1


defs = Definitions(assets=[made])
"""


def test_a_launch_answers_before_the_runs_process_has_imported_anything(tmp_path):
    """A run has its id and its page at once; what keeps it from beginning is its end, with the user's line. An asset
    that is there stays fresh, and leads to the run canceled since."""
    served = Server(made_project(tmp_path, IMPORTED), command="serve").ready()
    try:
        assert served.get("project")["name"] == tmp_path.name
        (tmp_path / "slow").touch()
        asked = time.monotonic()
        run = served.post("runs", {"selection": "made"}, 202)["run_id"]
        assert time.monotonic() - asked < 2.5
        page = served.get(f"runs/{run}")
        assert (page["status"], page["total"]) == ("QUEUED", 1)
        canceled = served.post("runs", {"selection": "made"}, 202)["run_id"]
        assert served.post(f"runs/{canceled}/cancel", {}, 200)["status"] == "CANCELED"
        assert served.ended(run)["status"] == "SUCCESS"
        until(lambda: served.get("assets")["assets"][0]["status"] == "fresh")
        assert served.get("assets")["assets"][0]["run_id"] is None
        again = served.post("runs", {"selection": "made"}, 202)["run_id"]
        served.post(f"runs/{again}/cancel", {}, 200)
        until(lambda: served.get("assets")["assets"][0]["run_id"] == again)
        assert served.get("assets")["assets"][0]["status"] == "fresh"
        (tmp_path / "slow").unlink()
        (tmp_path / "broken").touch()
        failed = served.ended(served.post("runs", {"selection": "made"}, 202)["run_id"])
        error = failed["error"]
        assert (failed["status"], error["kind"], error["message"]) == ("FAILURE", "ValueError", "the settings are gone")
        assert error["at"]["text"] == 'raise ValueError("the settings are gone")'
        (tmp_path / "broken").unlink()
        assert served.ended(served.post(f"runs/{failed['run_id']}/resume", {}, 202)["run_id"])["status"] == "SUCCESS"
        assert served.get(f"runs/{canceled}")["counts"] == {"pending": 1}  # it never ran
    finally:
        served.close()


def test_code_that_changed_under_a_server_is_found_out(tmp_path):
    """Where files change and are not looked for, the run says so, and the next one is planned from the new code."""
    project = made_project(tmp_path, IMPORTED)
    served = Server(project, command="serve").ready()
    try:
        made_project(tmp_path, IMPORTED.replace("return 1", "return 2"))
        failed = served.ended(served.post("runs", {"selection": "made"}, 202)["run_id"])
        assert (failed["status"], failed["error"]["kind"]) == ("FAILURE", "CodeChanged")
        until(lambda: served.ready().run(selection="made")["status"] == "SUCCESS")
    finally:
        served.close()


def test_executors_are_chosen(server):
    """A run is driven by the executor that was asked for, with as many workers; one that goes on from it, too."""
    assert server.get("session")["executors"][:2] == ["in_process", "threads"]
    for executor in ("threads", "processes"):
        run = server.run(selection="+revenue", executor=executor, workers=2, timeout=60)
        assert (run["status"], run["executor"]) == ("SUCCESS", executor)
        assert server.run(parent=run["run_id"], mode="all")["executor"] == executor  # as before
    assert server.post("runs", {"selection": "orders", "executor": "none"}, 400)["kind"] == "UnknownExecutor"
    assert server.post("plan", {"selection": "orders", "workers": 2}, 400)["kind"] == "WorkersOfNone"


def test_a_run_whose_process_dies_is_noticed(server):
    """A run that dies without an end is DIED, with nothing under way; taken up again, it goes on under its own id."""
    run = server.run(selection="+dies")
    assert run["status"] == "DIED"
    assert run["counts"] == {"succeeded": 1, "interrupted": 1}
    rows = {row["path"]: row for row in server.get(f"runs/{run['run_id']}/tree")["rows"]}
    assert (rows["orders"]["status"], rows["dies"]["status"]) == ("succeeded", "interrupted")
    assert run["started"] < rows["dies"]["started"] <= rows["dies"]["ended"] <= run["ended"]
    dies = until(
        lambda: next(a for a in server.get("assets")["assets"] if a["key"] == "dies" and a["status"] == "failed")
    )
    assert dies["why"] == "the process of its run died"
    assert run["run_id"] in [each["run_id"] for each in server.get("runs", status="DIED")["runs"]]
    (server.folder / "lives").touch()
    assert server.post(f"runs/{run['run_id']}/resume", {}, 202)["run_id"] == run["run_id"]
    assert until(lambda: server.get(f"runs/{run['run_id']}")["counts"] == {"succeeded": 2})
    (server.folder / "lives").unlink()


def test_a_stream_tells_that_the_process_died(server):
    """Who watches a run sees what was under way stop, though nobody wrote that down."""
    run = server.post("runs", {"selection": "slow"}, 202)["run_id"]
    with server.client.stream("GET", f"/api/runs/{run}/stream") as reply:
        told = (body for name, _, body in events(reply) if name == "run")
        next(each for each in told if each["counts"].get("running"))
        os.kill(server.get(f"runs/{run}")["pid"], signal.SIGKILL)
        last = next(each for each in told if each["run"]["status"] == "DIED" and each["rows"])
    assert last["counts"] == {"interrupted": 1}
    assert [row["status"] for row in last["rows"]] == ["interrupted"]


def test_a_try_waits_from_when_it_was_due(tmp_path):
    """The queue of an op that was tried again does not count the tries before, which are told with their times."""

    @asset(retry_policy=RetryPolicy(max_retries=1, delay=0.2))
    def flaky(context):
        time.sleep(0.1)
        if context.retry_number == 0:
            raise ConnectionError

    instance = Instance(tmp_path)
    run_id = materialize(Definitions(assets=[flaky]), instance=instance).run_id
    run = Following(instance.record).run(run_id)
    ((start, end, due),) = run.tries[0]
    assert 0.1 <= end - start < run.fold.started[0] - start
    assert due == pytest.approx(end + 0.2)
    assert run.queued(0) == pytest.approx((run.fold.started[0] - due) * 1e6, abs=1)


def test_a_skipped_step_of_a_fan_out_is_not_to_run(tmp_path):
    """What a plan that goes on from a run says of a fan-out: which steps run, are reused, and have nothing to do."""

    @op(out=DynamicOut())
    def deal():
        yield from (DynamicOutput(n, str(n)) for n in range(3))

    @op(out=Out(is_required=False))
    def some(n):
        if n == 0:
            raise ValueError(n)
        if n == 2:
            yield Output(n)

    @op
    def noted(n): ...

    @job
    def work():
        deal().map(lambda n: noted(some(n)))

    instance = Instance(tmp_path)
    run_id = work.execute_in_process(instance=instance, raise_on_error=False).run_id
    plan = planned(plan_resume(Definitions(jobs=[work]), run_id, instance=instance), same_run=False)
    assert [step.keys for step in plan.steps] == [{}, {"run": 1, "reuse": 2}, {"run": 1, "reuse": 1, "skip": 1}]
    assert plan.counts == {"run": 2, "reuse": 4, "skip": 1}


def test_a_fan_out_that_was_not_reached_counts_as_one(tmp_path):
    """What a run did and what a plan that goes on from it does add up to the same number of steps."""

    @op(out=DynamicOut())
    def deal():
        raise ValueError

    @op
    def work(n): ...

    @job
    def fans():
        deal().map(work)

    instance = Instance(tmp_path)
    run_id = fans.execute_in_process(instance=instance, raise_on_error=False).run_id
    told = RunPages(instance, Following(instance.record)).detail(run_id)
    plan = planned(plan_resume(Definitions(jobs=[fans]), run_id, instance=instance), same_run=False)
    assert (told.counts, told.total) == ({"failed": 1, "blocked": 1}, 2)
    assert sum(plan.counts.values()) == 2


def test_what_is_told_of_fan_outs(tmp_path):
    """A nested fan-out is told by its values and not by its steps, with the first ones; one of no values by that there
    are none, and a plan has nothing to do for it; of its failures the first one is told everywhere."""

    @op(out=DynamicOut())
    def outer():
        yield from (DynamicOutput(n, f"k{n}") for n in range(3))

    @op(out=DynamicOut())
    def inner(n):
        yield from (DynamicOutput(i, f"i{i}") for i in range(n + 1))

    @op(out=DynamicOut())
    def none():
        yield from ()

    @op
    def work(n):
        if n:
            raise ValueError(f"bad {n}")

    @op
    def idle(n): ...

    @op
    def total(found, nothing): ...

    @graph_asset
    def fans():
        nothing = none().map(idle).collect()
        return total(outer().map(lambda n: inner(n).map(work).collect()).collect(), nothing)

    instance = Instance(tmp_path)
    defs = Definitions(assets=[fans])
    run_id = materialize(defs, instance=instance).run_id
    following = Following(instance.record)
    pages, n = RunPages(instance, following), following.run(run_id).plan.index()
    given = pages.step(run_id, n["fans.inner"])
    assert (given.came, given.counts) == ({"result": 6}, {"succeeded": 3})
    assert [each.mapping_key for each in given.outputs] == ["i0", "i0", "i1", "i0", "i1", "i2"]
    assert [each.of for each in given.outputs] == ["[k0]", "[k1]", "[k1]", "[k2]", "[k2]", "[k2]"]
    assert pages.step(run_id, n["fans.outer"]).came == {"result": 3}
    rows = {row.path: row for row in pages.tree(run_id, "", "", 100).rows}
    assert (rows["fans.work"].message, pages.detail(run_id).failures[0].error.message) == ("ValueError: bad 1", "bad 1")
    (cause,) = pages.detail(run_id).failures  # all at one line
    assert (cause.times, len(cause.alike), pages.detail(run_id).failed) == (3, 2, 3)

    keys = [f"fans.{name}" for name in ("none", "idle", "outer", "inner", "work", "total")]
    asset = {"key": "fans", "unit": "fans", "ops": json.dumps([{"key": key} for key in keys])}
    found = AssetPages(instance, following).ops_of(asset)
    assert dict(zip(found.key, found.status, strict=True)) == {
        **dict.fromkeys(keys[:4], "succeeded"), "fans.work": "failed", "fans.total": "blocked",
    }  # fmt: skip
    assert found.counts == {
        "fans.idle": {}, "fans.inner": {"succeeded": 3}, "fans.work": {"succeeded": 3, "failed": 3},
    }  # fmt: skip

    plan = planned(plan_resume(defs, run_id, instance=instance), same_run=False)
    steps = {step.key: step for step in plan.steps}
    assert (steps["fans.idle"].decision, steps["fans.idle"].reason) == (
        "skip", "no value came for it in the parent run",
    )  # fmt: skip
    assert steps["fans.work"].keys == {"run": 3, "reuse": 3}
    plan = planned(plan_resume(defs, run_id, instance=instance, from_step="fans.outer"), same_run=False)
    assert [step.keys for step in plan.steps if step.key in ("fans.inner", "fans.work")] == [
        {"run": 0, "decide": 3}, {"run": 3, "decide": 3},
    ]  # fmt: skip


def test_an_op_that_a_run_has_not_reached_waits(tmp_path):
    """While a run goes on, its ops are told as it has them: those that it has not come to wait, whatever became of them
    before, and a fan-out counts as one op of those that are done."""

    @op(out=DynamicOut())
    def deal():
        yield from (DynamicOutput(n, f"k{n}") for n in range(4))

    @op
    def work(n):
        if n == 2 and told:
            told.append(look())

    @op
    def total(found): ...

    @graph_asset
    def slow():
        return total(deal().map(work).collect())

    def look():
        following = Following(Instance(tmp_path).record)
        ops = [{"key": f"slow.{name}"} for name in ("deal", "work", "total")]
        asset = {"id": "slow", "key": "slow", "unit": "slow", "kind": "graph", "upstream": [], "ops": json.dumps(ops)}
        manifest = {"assets": [asset], "units": {}}
        state = Standing(Instance(tmp_path).record, following).states(manifest)["slow"]
        return AssetPages(Instance(tmp_path), following).ops_of(asset), state.progress

    told: list[object] = []
    defs, instance = Definitions(assets=[slow]), Instance(tmp_path)
    materialize(defs, instance=instance)
    told.append("the next time")
    materialize(defs, instance=instance)
    ops, progress = told[1]
    assert ops.status == ["running", "running", "pending"]
    assert (progress.done, progress.running, progress.total) == (0, 2, 3)


def test_what_was_reused_makes_stale_too(tmp_path):
    """What a resumed run made is stale where its reused ops had read what was made anew before that run began."""
    numbers, failing = [1], [True]

    @asset
    def orders():
        return list(numbers)

    @op
    def read(orders):
        return orders

    @op
    def total(found):
        if failing:
            raise ValueError("not yet")
        return sum(found)

    @graph_asset
    def bill(orders):
        return total(read(orders))

    def status():
        record = Instance(tmp_path).record
        shared = {"ops": "[]", "upstream": []}
        assets = [
            {**shared, "id": "o", "key": "orders", "unit": "orders", "kind": "asset"},
            {**shared, "id": "b", "key": "bill", "unit": "bill", "kind": "graph", "upstream": ["o"]},
        ]
        state = Standing(record, Following(record)).states({"assets": assets, "units": {}})["b"]
        return state.status, state.why

    defs, instance = Definitions(assets=[orders, bill]), Instance(tmp_path)
    failed = materialize(defs, instance=instance).run_id
    failing.clear()
    materialize(defs, "orders", instance=instance)
    resume(defs, failed, instance=instance)
    assert status() == ("fresh", "")
    numbers.append(2)
    materialize(defs, "orders", instance=instance)
    assert status() == ("stale", "`orders` has a newer version")
    failing.append(True)
    failed = materialize(defs, instance=instance).run_id
    failing.clear()
    numbers.append(3)
    materialize(defs, "orders", instance=instance)
    resume(defs, failed, instance=instance)
    assert status() == ("stale", "`orders` has a newer version")


def test_a_run_that_nobody_began_has_died(tmp_path):
    """A run that was queued longer than its process may take to begin has none: it is shown so, and can be resumed."""
    record = Instance(tmp_path).record
    for name, age in (("fresh", 1.0), ("old", 1000.0)):
        record.create(RunRow(run_id=name, status=RunStatus.QUEUED, created=time.time() - age))
    assert [inspect.status_of(record, record.run(name)) for name in ("fresh", "old")] == ["QUEUED", "DIED"]


def test_the_command_lines_runs_are_the_servers_runs(server):
    """A run of the command line is in the list, and `opgraph runs` has those of the server."""
    location = locate("project.py", start=server.folder, environment={})
    assert str(location.home) == server.get("session")["home"]


def test_runs_outlive_the_server(tmp_path):
    """When the server is stopped, or killed, its run goes on to its end."""
    made_project(tmp_path)
    first = Server(tmp_path).ready()
    run = first.post("runs", {"selection": "slow"}, 202)["run_id"]
    until((tmp_path / "began").exists)
    first.process.send_signal(signal.SIGKILL)
    first.close()
    second = Server(tmp_path, command="serve").ready()
    assert second.token == first.token
    assert second.get(f"runs/{run}")["status"] == "STARTED"
    assert second.post(f"runs/{run}/cancel", {}, 200)["asked"]
    assert second.ended(run)["status"] == "CANCELED"
    second.close()


def test_a_broken_file_keeps_the_last_good_manifest(tmp_path):
    """Dagster #3337: files are loaded again when they change. While one does not import, the error names its line, the
    assets stay, and nothing is started."""
    made_project(tmp_path)
    server = Server(tmp_path).ready()
    before = server.get("project")["manifest"]
    text = (tmp_path / "project.py").read_text()
    (tmp_path / "project.py").write_text(text + "\nundefined_name\n")
    broken = until(lambda: (found := server.get("project"))["status"] == "broken" and found)
    line = text.count("\n") + 2
    assert broken["error"]["line"] == line
    assert broken["error"]["file"].endswith("project.py")
    assert "undefined_name" in broken["error"]["text"]
    assert broken["manifest"] == before
    assert len(server.get("assets", query="group:raw")["assets"]) == 1
    assert server.post("runs", {"selection": "orders"}, 409)["kind"] == "DefinitionsBroken"
    (tmp_path / "project.py").write_text(text.replace("All orders.", "Every order."))
    until(lambda: server.get("project")["status"] == "ready")
    assert server.get("project")["manifest"] != before
    printed = "".join(server.process.stdout.readline().decode() for _ in range(5))
    assert f"NameError: name 'undefined_name' is not defined\n  at {tmp_path / 'project.py'}:{line}\n  fix: " in printed
    assert "the definitions load again" in printed
    server.close()


def test_a_server_starts_on_a_broken_file(tmp_path):
    """Where the file never imported there are no assets, and the page says why."""
    made_project(tmp_path, "from opgraph import asset\n\nraise ValueError('not today')\n")
    server = Server(tmp_path)
    broken = until(lambda: (found := server.get("project"))["status"] == "broken" and found)
    assert (broken["error"]["line"], broken["assets"]) == (3, 0)
    assert server.get("assets")["assets"] == []
    server.close()


def test_the_process_of_the_definitions_may_crash(tmp_path):
    """When it is killed, it is started again."""
    made_project(tmp_path, "import os\nfrom pathlib import Path\nPath('pid').write_text(str(os.getpid()))\n"
                 "from opgraph import asset\n@asset\ndef one(): return 1\n")  # fmt: skip
    server = Server(tmp_path).ready()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    reply = server.client.get("/api/assets", params={"query": "one"})
    assert reply.status_code == 503
    until(lambda: server.client.get("/api/assets", params={"query": "one"}).status_code == 200)
    server.close()


def test_files_and_folders_are_their_owners(server):
    """S5: everything in the state folder is 0600, folders 0700, the token too."""
    server.run(selection="orders")
    home = server.folder / ".opgraph"
    found = [home, *home.rglob("*")]
    assert len(found) > 5
    assert {oct(each.stat().st_mode & 0o777) for each in found if each.is_dir()} == {"0o700"}
    assert {oct(each.stat().st_mode & 0o777) for each in found if each.is_file()} == {"0o600"}


def test_it_is_small(server):
    """The idle server takes at most 120 MB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    size = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    assert size < 120 * 1024


def test_secrets_are_nowhere(server):
    """Dagster #26070: S6: a secret of the configuration is in no reply, no log, no file of the state folder."""
    secret = "hunter2-hunter2"
    body = {"selection": "+revenue", "config": {"revenue.clean.password": secret}}
    plan = server.client.post("/api/plan", json=body)
    assert plan.status_code == 200
    run = server.run(**body)
    assert run["status"] == "SUCCESS"
    replies = [plan.text]
    for path in ("", "/tree", "/logs?kinds=log,event", "/steps/1", "/steps/2"):
        replies.append(server.client.get(f"/api/runs/{run['run_id']}{path}").text)
    replies.append(
        server.client.post("/api/plan", json={**body, "config": {"revenue.clean.password": {"x": secret}}}).text
    )
    replies.append(server.client.post("/api/plan", json={**body, "why": [secret]}).text)
    assert [text for text in replies if secret in text] == []
    files = [each for each in (server.folder / ".opgraph").rglob("*") if each.is_file()]
    assert [each for each in files if secret.encode() in each.read_bytes()] == []


def test_a_run_is_read_once_for_all_who_ask_for_it(server):
    """Requests that come together for one run share what was read of it; a small one is kept also where it was asked
    for in passing, and facts that come later are told by the steps that they are about."""
    run_id = server.run(selection="+revenue")["run_id"]
    following = Following(Instance(server.folder / ".opgraph").record)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: following.run(run_id, once=True), range(8)))
    assert len({id(run) for run in found}) == 1
    run = found[0]
    assert run.changed_after(0) == set(range(run.size))
    assert run.changed_after(run.seq) == set()


def test_streams_skip_nothing(server):
    """Three runs at once: each stream ends with the run's last fact, its sequence only rises, and taking it up in the
    middle goes on from there."""
    ends = {}

    def follow(run_id):
        numbers, last = [], {}
        with server.client.stream("GET", f"/api/runs/{run_id}/stream") as reply:
            for name, number, data in events(reply):
                if name == "run":
                    numbers.append(data["seq"])
                    last = data
                    if data["run"]["status"] == "SUCCESS":
                        break
        ends[run_id] = (numbers, last)

    runs = [server.post("runs", {"selection": "+revenue"}, 202)["run_id"] for _ in range(3)]
    threads = [threading.Thread(target=follow, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for run in runs:
        numbers, last = ends[run]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == server.get(f"runs/{run}")["seq"]
        assert last["counts"] == {"succeeded": 7}
    headers = {"Last-Event-ID": "5.0"}
    with server.client.stream("GET", f"/api/runs/{runs[0]}/stream", headers=headers) as reply:
        name, _, data = next(events(reply))
        assert (name, data["seq"]) == ("run", ends[runs[0]][0][-1])
        keys = {row["path"] for row in data["rows"]}
        assert "orders" not in keys
        assert "revenue.total" in keys


def test_a_stream_begins_after_what_is_known(server):
    """A page that fetched the rows and lines of a run asks for what came since: of one that is over, its end alone."""
    run = server.run(selection="+revenue")["run_id"]
    known = server.get(f"runs/{run}/tree")["seq"]
    with server.client.stream("GET", f"/api/runs/{run}/stream?after={known}.0") as reply:
        name, _, data = next(events(reply))
    assert (name, data["run"]["status"], data["seq"], data["rows"]) == ("run", "SUCCESS", known, [])
    assert server.client.get(f"/api/runs/{run}/stream?after=x").status_code == 400


def test_with_the_end_of_a_run_all_that_came_before_it_is_told(tmp_path):
    """A run that ends just as somebody looks at it: who is told of its end is told how every step ended."""
    go = threading.Event()

    @asset
    def held():
        go.wait(10)

    instance = Instance(tmp_path)
    running = threading.Thread(target=materialize, args=(Definitions(assets=[held]),), kwargs={"instance": instance})
    running.start()
    until(lambda: [row for row in instance.record.runs() if row.status is RunStatus.STARTED])

    class Ends:
        """The record, in which the run ends when its row is asked for."""

        def run(self, run_id):
            go.set()
            running.join(10)
            return instance.record.run(run_id)

        def __getattr__(self, name):
            return getattr(instance.record, name)

    following = Following(instance.record)
    run = following.run(instance.record.runs()[0].run_id)
    deltas = Deltas(Ends(), RunPages(instance, following), run, run.seq, 0, whole=True)
    told = deltas.since()
    assert (told.run.status, [row.status for row in told.rows]) == ("SUCCESS", ["succeeded"])


def test_the_global_stream_is_taken_up_where_it_broke_off(server):
    """With the id of an event received, what happened since comes, and nothing twice; with a foreign id, `reset`."""
    received = []

    def listen(last="", stop=lambda name, data: False):
        headers = {"Last-Event-ID": last} if last else {}
        with server.client.stream("GET", "/api/stream", headers=headers) as reply:
            for name, number, data in events(reply):
                received.append((number, name, data))
                if stop(name, data):
                    return number
        return ""

    last = listen(stop=lambda name, _: name == "project")
    run = server.run(selection="orders")["run_id"]

    def over(name, data):
        return name == "run" and data["run"]["run_id"] == run and data["run"]["status"] == "SUCCESS"

    middle = listen(last, stop=lambda name, data: name == "run" and data["run"]["run_id"] == run)
    listen(middle if not over(*received[-1][1:]) else last, stop=over)
    numbers = [int(number.split("-")[1]) for number, _, _ in received]
    assert numbers[-1] - numbers[0] >= 1
    assert set(numbers) == set(range(numbers[0], numbers[-1] + 1))
    assert not any(data["rows"] or data["lines"] for _, name, data in received if name == "run")
    listen("ffffffff-7", stop=lambda name, data: name == "reset")
    assert received[-1][1] == "reset"


def test_what_went_on_from_a_run_is_told_whole(tmp_path):
    """After a resume an asset and its fan-out are told with what was reused: its time in both runs, the size of all its
    values, and how many steps ran. A run is told by the ops it was asked for, and found by its job."""

    @op(out=DynamicOut())
    def deal():
        yield from (DynamicOutput(n, f"k{n}") for n in range(3))

    @op
    def work(n):
        if n == 1 and not mended:
            raise ValueError(n)
        return "x" * 100

    @op
    def total(found):
        return len(found)

    @graph_asset
    def fans():
        return total(deal().map(work).collect())

    mended: list[int] = []
    defs, instance = Definitions(assets=[fans], jobs=[define_asset_job("nightly", ["fans"])]), Instance(tmp_path)
    first = materialize(defs, instance=instance).run_id
    mended.append(1)
    again = resume(defs, first, instance=instance).run_id
    following = Following(instance.record)
    ops = [
        {"key": f"fans.{name}", "path": name, "op": name, "takes": [], "mapped": name == "work"}
        for name in ("deal", "work", "total")
    ]
    asset = {"id": "fans", "key": "fans", "unit": "fans", "kind": "graph", "upstream": [], "ops": json.dumps(ops)}
    state = Standing(instance.record, following).states({"assets": [asset], "units": {}})["fans"]
    assert state.latest is not None
    assert state.latest.run_id == again
    parts = [spans(following.run(first), {"fans.deal", "fans.work"})["fans"], spans(following.run(again))["fans"]]
    assert state.latest.duration == pytest.approx(sum(parts))
    work_op = AssetPages(instance, following)._ops(asset, ops, {})[1]
    assert work_op.counts == {"succeeded": 1, "reused": 2}
    stored = past_of(again, following.run(again).plan, instance.record.facts(again)).steps
    sizes = [kept.stored.size for n in range(3) for kept in stored[f"fans.work[k{n}]"].kept.values()]
    assert (len(sizes), work_op.size) == (3, sum(sizes))

    only = resume(defs, again, instance=instance, only=["fans.total"]).run_id
    part = resume(defs, again, instance=instance, from_step="fans.work[k1]").run_id
    nightly = materialize(defs, instance=instance, job="nightly").run_id
    pages = RunPages(instance, following)
    how = {"status": (), "asset": "", "by": "", "cursor": "", "limit": 50}
    steps = {each.run_id: each.steps for each in pages.runs(**how, job="").runs}
    assert steps == {first: [], again: [], only: ["fans.total"], part: ["fans.work[k1]*"], nightly: []}
    assert [each.run_id for each in pages.runs(**how, job="nightly").runs] == [nightly]
