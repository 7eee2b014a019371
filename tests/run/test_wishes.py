"""What users of such systems ask for about fan-outs and about running again: numbers are of issues that ask for it."""

import statistics
import subprocess
import sys
import time

import pytest

from opgraph import (
    AssetOut,
    DataVersion,
    Definitions,
    DynamicOut,
    DynamicOutput,
    EventType,
    In,
    Instance,
    InvalidDefinitionError,
    Nothing,
    Output,
    ReexecutionOptions,
    RetryPolicy,
    asset,
    execute_job,
    graph,
    graph_asset,
    graph_multi_asset,
    job,
    materialize,
    mem_io_manager,
    op,
    reconstructable,
)
from opgraph.events import StepStarted, StepSucceeded
from opgraph.operate import execute
from opgraph.operate.planning import plan

ran: list[str] = []
bad: set[str] = set()


@pytest.fixture(autouse=True)
def _fresh():
    ran.clear()
    bad.clear()


@pytest.fixture
def instance(tmp_path):
    with Instance(tmp_path / "home") as made:
        yield made


@op(out=DynamicOut())
def folders():
    for name in ("x", "y"):
        ran.append(f"folder {name}")
        yield DynamicOutput(name, mapping_key=name)


@op(out=DynamicOut())
def files(folder):
    for i in range(2):
        ran.append(f"file {folder}{i}")
        yield DynamicOutput(f"{folder}{i}", mapping_key=str(i))


@op
def parse(file):
    ran.append(f"parse {file}")
    if file in bad:
        raise ValueError(file)
    return file.upper()


@op
def count(file):
    ran.append(f"count {file}")
    return f"{file}!"


@op
def merge(parts):
    ran.append("merge")
    return parts


@graph_asset
def nested():
    return merge(folders().map(lambda folder: files(folder).map(lambda file: count(parse(file))).collect()).collect())


@graph_asset
def flat():
    return merge(folders().map(lambda folder: count(parse(folder))).collect())


def test_nested_fan_outs():
    """Dagster #4364, Hamilton #301, #652, Airflow #30021: a fan-out in a fan-out, to any depth."""
    assert materialize([nested]).asset_value("nested") == [["X0!", "X1!"], ["Y0!", "Y1!"]]


def test_a_fan_out_is_collected_twice():
    """Hamilton #742: what two ops make of each value is collected apart, in one graph, as two assets; either alone is
    made without the other op."""

    @graph_multi_asset(outs={"parsed": AssetOut(), "counted": AssetOut()}, can_subset=True)
    def both():
        each = folders()
        return {"parsed": merge(each.map(parse).collect()), "counted": merge(each.map(count).collect())}

    result = materialize([both])
    assert result.asset_value("parsed") == ["X", "Y"]
    assert result.asset_value("counted") == ["x!", "y!"]
    ran.clear()
    assert materialize([both], selection=["counted"]).asset_value("counted") == ["x!", "y!"]
    assert not {"parse x", "parse y"} & set(ran)


def test_what_is_collected_is_a_graphs_output():
    """Dagster #9139, #15664: `.collect()` may be what a graph, and a graph asset, returns."""

    @graph
    def parsed():
        return folders().map(parse).collect()

    @graph_asset
    def all_of_them():
        return merge(parsed())

    @graph_asset
    def at_once():
        return folders().map(parse).collect()

    result = materialize([all_of_them, at_once])
    assert result.asset_value("all_of_them") == result.asset_value("at_once") == ["X", "Y"]


def test_a_fan_out_as_an_asset_says_what_is_wrong():
    """Dagster #13087: an asset that is a dynamic output is refused, and told to collect it."""

    @graph_asset
    def many():
        return folders()

    with pytest.raises(InvalidDefinitionError, match="collect"):
        materialize([many])


@pytest.mark.parametrize("executor", ["in_process", "threads"])
def test_mapped_steps_start_before_the_generator_ends(executor):
    """Dagster #11475, #12399, Airflow #29339: of many values the first is worked on while the others are to come."""

    @op(out=DynamicOut())
    def many():
        for i in range(300):
            yield DynamicOutput(f"v{i}", mapping_key=str(i))
        ran.append("all yielded")

    @graph_asset
    def value():
        return merge(many().map(parse).collect())

    outcome = execute.materialize(Definitions(assets=[value]), instance=Instance.ephemeral(), executor=executor)
    assert outcome.success
    assert ran.index("parse v0") < ran.index("all yielded")
    assert sum(each.startswith("parse") for each in ran) == 300


@pytest.mark.parametrize("executor", ["in_process", "threads", "processes"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_a_generator_waits_is_not_its_own_time(instance, monkeypatch, executor, kind):
    """While others take its values a generator waits: neither computing nor storing nor loading has that in it."""
    for room in ("windows", "driver"):
        monkeypatch.setattr(f"opgraph.run.driving.{room}.WINDOW", 2)

    def yielded():
        return (DynamicOutput(i, mapping_key=str(i)) for i in range(8))

    @op(out=DynamicOut())
    def many():
        yield from yielded()

    @op(name="many", out=DynamicOut())
    async def many_async():
        for each in yielded():
            yield each

    @op
    def rest(value):
        time.sleep(0.05)
        return value

    @graph_asset
    def value():
        return merge((many if kind == "sync" else many_async)().map(rest).collect())

    outcome = execute.materialize(Definitions(assets=[value]), instance=instance, executor=executor)
    facts = [fact for _, fact in instance.record.facts(outcome.run_id)]
    (began,) = (fact.time for fact in facts if isinstance(fact, StepStarted) and fact.step == 0)
    (ended,) = (fact for fact in facts if isinstance(fact, StepSucceeded) and fact.step == 0)
    own = (ended.load + ended.compute + ended.store) / 1e6
    assert own < (ended.time - began) / 2


def test_one_key_is_finished_before_the_next():
    """Dagster #31035: a chain inside one key comes before the next key."""
    materialize([flat])
    assert [each for each in ran if "folder" not in each] == ["parse x", "count X", "parse y", "count Y", "merge"]


def test_collected_as_a_dict():
    """Dagster #8491: a fan-out collected by mapping key."""

    @graph_asset
    def by_key():
        return merge(folders().map(parse).collect(as_dict=True))

    assert materialize([by_key]).asset_value("by_key") == {"x": "X", "y": "Y"}


def test_a_fan_out_that_only_does_something_materializes_the_asset():
    """Dagster #17340: an asset whose mapped ops return nothing is materialized all the same."""

    @op(out=None)
    def write(file):
        ran.append(f"write {file}")

    @op(ins={"done": In(Nothing)})
    def finish():
        return "done"

    @graph_asset
    def written():
        return finish(done=folders().map(write).collect())

    result = materialize([written])
    made = [e for e in result.all_events if e.event_type is EventType.ASSET_MATERIALIZATION]
    assert [e.asset_key.text for e in made] == ["written"]
    assert ran == ["folder x", "write x", "folder y", "write y"]


def test_a_retry_runs_the_mapped_steps_that_failed_and_no_others(instance):
    """Dagster #30248, #30077, #30972, #20925: re-execution never leaves out a mapped step, over several generations."""
    defs = Definitions(assets=[nested])
    bad.update(("x1", "y0"))
    first = execute.materialize(defs, instance=instance)
    assert not first.success
    ran.clear()
    bad.discard("x1")
    second = execute.resume(defs, first.run_id, instance=instance)
    assert not second.success
    assert ran == ["parse x1", "count X1", "parse y0"]
    ran.clear()
    bad.clear()
    third = execute.resume(defs, second.run_id, instance=instance)
    assert third.success
    assert ran == ["parse y0", "count Y0", "merge"]
    assert defs.load_asset_value("nested", instance=instance) == [["X0!", "X1!"], ["Y0!", "Y1!"]]


def test_one_mapped_step_can_be_named(instance):
    """Dagster #30972: a step of one mapping key is run again by its name, and what comes after it, or it alone."""
    defs = Definitions(assets=[flat])
    first = execute.materialize(defs, instance=instance)
    ran.clear()
    assert execute.resume(defs, first.run_id, instance=instance, from_step="flat.parse[y]").success
    assert ran == ["parse y", "count Y", "merge"]
    ran.clear()
    assert execute.resume(defs, first.run_id, instance=instance, only=["flat.parse[x]"]).success
    assert ran == ["parse x"]


def test_a_named_mapped_step_takes_all_of_its_keys_along(instance):
    """What is mapped further within the key of a step that is run again runs again, though its values are the same."""
    defs = Definitions(assets=[nested])
    first = execute.materialize(defs, instance=instance)
    for step, after in (
        ("nested.files[x]", ["count X0", "count X1", "file x0", "file x1", "merge", "parse x0", "parse x1"]),
        ("nested.parse[x][1]", ["count X1", "merge", "parse x1"]),
    ):
        ran.clear()
        assert execute.resume(defs, first.run_id, instance=instance, from_step=step).success
        assert sorted(ran) == after


def test_what_failed_is_resumed_and_what_comes_after_it(instance):
    """Dagster #12423, #18274, #15771: resuming starts where it failed, goes on to the other assets, and nothing else
    runs again."""

    @graph_asset
    def sized(flat):
        return merge(flat)

    defs = Definitions(assets=[flat, sized])
    bad.add("y")
    first = execute.materialize(defs, instance=instance)
    bad.clear()
    ran.clear()
    second = execute.resume(defs, first.run_id, instance=instance)
    assert second.success
    assert ran == ["parse y", "count Y", "merge", "merge"]
    assert defs.load_asset_value("sized", instance=instance) == ["X!", "Y!"]


def test_values_in_memory_do_not_keep_a_run_from_being_resumed(instance):
    """Dagster #14268: where values were only in memory, what made them runs again; the resume is not refused."""
    defs = Definitions(assets=[flat], resources={"io_manager": mem_io_manager})
    bad.add("y")
    first = execute.materialize(defs, instance=instance)
    bad.clear()
    ran.clear()
    assert execute.resume(defs, first.run_id, instance=instance).success
    assert "parse y" in ran


def test_what_is_mapped_is_memoized_across_runs(instance):
    """Metaflow #2405, dagster #8919, Kedro #82: a later run takes every value whose op and inputs are the same; a new
    key and a changed value run."""
    values = {"a": 1, "b": 2}

    @op(out=DynamicOut(), code_version="any", tags={"opgraph/memoize": "false"})
    def numbers():
        for key, value in values.items():
            yield DynamicOutput(value, mapping_key=key)

    @op
    def double(context, x):
        ran.append(f"double {context.get_mapping_key()}")
        return 2 * x

    @op
    def whole(x):
        ran.append(f"whole {x}")
        return x

    @graph_asset(memoize=True)
    def doubled():
        return merge(numbers().map(lambda x: whole(double(x))).collect())

    defs = Definitions(assets=[doubled])

    def again():
        ran.clear()
        assert execute.materialize(defs, instance=instance).success
        return list(ran)

    assert again() == ["double a", "whole 2", "double b", "whole 4", "merge"]
    assert again() == []
    values["b"] = 3
    assert again() == ["double b", "whole 6", "merge"]
    values["c"] = 0
    assert again() == ["double c", "whole 0", "merge"]
    del values["c"]
    values["b"] = 2
    assert again() == []
    assert defs.load_asset_value("doubled", instance=instance) == [2, 4]


def test_a_plan_says_what_of_a_fan_out_may_be_reused(instance):
    """Dagster #7911: the plan tells of a mapped op whether its values may be reused, and why not."""

    def project(factor):
        @op
        def times(x):
            return x * factor

        @graph_asset(memoize=True)
        def product():
            return merge(folders().map(times).collect())

        return Definitions(assets=[product])

    def said(defs):
        return {s.op: (s.decision.do.value, s.decision.why) for s in plan(defs, instance=instance).steps}

    assert said(project(2))["times"] == ("run", "never run")
    execute.materialize(project(2), instance=instance)
    assert said(project(2)) == {
        "folders": ("reuse", "same"),
        "times": ("decide", "depends"),
        "merge": ("decide", "depends"),
    }
    assert said(project(3))["times"] == ("run", "code changed")
    assert execute.materialize(project(2), instance=instance, reuse="only").success
    with pytest.raises(Exception, match="code"):
        execute.materialize(project(3), instance=instance, reuse="only")


def project(text):
    """Two assets in a file of their own, with no versions given; `text` is what the first op computes."""
    scope: dict[str, object] = {"op": op, "asset": asset, "graph_asset": graph_asset, "ran": ran, "Output": Output}
    source = f"""
def read():
    ran.append("read")
    {text}

def clean(rows):
    ran.append("clean")
    return sorted(rows)
"""
    exec(source, scope)
    read, clean = op(scope["read"]), op(scope["clean"])  # pyright: ignore[reportArgumentType]

    @graph_asset(memoize=True)
    def orders():
        return clean(read())

    @asset(memoize=True)
    def report(orders):
        ran.append("report")
        return len(orders)

    return Definitions(assets=[orders, report])


def test_versions_need_not_be_given(instance):
    """Dagster #3680, #4235, #8919, Prefect #7288, Flyte #2886: without a version given anywhere an op runs again when
    its code is another, and not when only a comment is."""
    for text, expected in {
        "return [2, 1]": ["read", "clean", "report"],
        "return [2, 1]  # why": [],
        "return [2, 1, 0]": ["read", "clean", "report"],
        "return  [2, 1]": [],
    }.items():
        ran.clear()
        assert execute.materialize(project(text), instance=instance).success
        assert ran == expected, text


def test_unchanged_data_stops_what_is_downstream(instance):
    """Dagster #14842: what an asset is made from is run and gives the data that it gave before, or says that it does;
    in the same run, and in another one, the assets that come after are not made again."""
    execute.materialize(project("return [2, 1]"), instance=instance)
    ran.clear()
    again = execute.materialize(project("return [1, 2]"), instance=instance)
    assert ran == ["read", "clean"]
    assert again.success
    ran.clear()
    execute.materialize(project("return [1, 2][:]"), "orders", instance=instance)
    execute.materialize(project("return [1, 2][:]"), "report", instance=instance)
    assert ran == ["read"]

    def said(number):
        @asset
        def source():
            return Output(number, data_version=DataVersion("5"))

        @asset(memoize=True)
        def after(source):
            ran.append("after")

        return Definitions(assets=[source, after])

    ran.clear()
    for number in (1, 2):
        execute.materialize(said(number), instance=instance)
    assert ran == ["after"]


def test_a_generator_that_is_retried():
    """A key with an equal version keeps its steps, with another version they run anew, one that does not come again is
    withdrawn; the list has the order of the attempt that succeeded."""

    @op(out=DynamicOut(), retry_policy=RetryPolicy(max_retries=1))
    def unsteady(context):
        if context.retry_number == 0:
            for name in ("a", "b", "c"):
                yield DynamicOutput(name, mapping_key=name)
            raise ConnectionError
        for key, value in {"d": "d", "a": "a", "b": "other"}.items():
            yield DynamicOutput(value, mapping_key=key)

    @graph_asset
    def word():
        return merge(unsteady().map(parse).collect())

    result = materialize([word])
    assert result.asset_value("word") == ["D", "A", "OTHER"]
    assert ran == ["parse a", "parse b", "parse c", "parse d", "parse other", "merge"]


def test_what_failed_is_named_to_what_collects():
    """Dagster #29281: `collect(allow_failed=True)` gives what succeeded, and the context says which keys are missing,
    also of nested fan-outs, where a level that allows no failures fails as a whole."""
    missing = {}

    @op
    def gather(context, parts):
        missing["keys"] = context.failed_mapping_keys("parts")
        return parts

    @graph_asset
    def inside():
        return gather(folders().map(lambda f: files(f).map(parse).collect(allow_failed=True)).collect())

    @graph_asset
    def around():
        return gather(folders().map(lambda f: files(f).map(parse).collect()).collect(allow_failed=True, as_dict=True))

    bad.add("x1")
    result = materialize([inside], raise_on_error=False)
    assert (result.asset_value("inside"), missing["keys"]) == ([["X0"], ["Y0", "Y1"]], ("x/1",))
    result = materialize([around], raise_on_error=False)
    assert (result.asset_value("around"), missing["keys"]) == ({"y": ["Y0", "Y1"]}, ("x",))
    bad.clear()
    assert materialize([around]).asset_value("around") == {"x": ["X0", "X1"], "y": ["Y0", "Y1"]}
    assert missing["keys"] == ()


@job
def mapped_job():
    merge(folders().map(parse).collect())


def test_a_job_is_reexecuted_from_failure(instance):
    """Dagster #20925, Kedro #1477, #3725: `ReexecutionOptions.from_failure` of a job with a fan-out."""
    again = reconstructable(mapped_job)
    bad.add("y")
    first = execute_job(again, instance=instance)
    assert not first.success
    bad.clear()
    ran.clear()
    options = ReexecutionOptions.from_failure(first.run_id, instance)
    second = execute_job(again, instance=instance, reexecution_options=options)
    assert second.success
    assert ran == ["parse y", "merge"]


def test_no_op_of_an_asset_starts_before_what_it_depends_on():
    """Dagster #10296, #8712, #15419: a graph asset that only names another asset waits for it with each of its ops,
    also with those that take nothing."""

    @asset
    def upstream():
        time.sleep(0.2)
        ran.append("upstream")

    @op
    def first():
        ran.append("first")
        return 1

    @op
    def second():
        ran.append("second")
        return 2

    @op
    def third(a, b):
        return a + b

    @graph_asset(deps=[upstream])
    def after():
        return third(first(), second())

    assert execute.materialize(Definitions(assets=[upstream, after]), instance=Instance.ephemeral(), executor="threads")
    assert ran[0] == "upstream"
    assert sorted(ran) == ["first", "second", "upstream"]


PROJECT = """\
import os, time
from opgraph import graph_asset, op

with open("loaded", "a") as file:
    print(os.getpid(), file=file)


@op
def each():
    with open("ran", "a") as file:
        print(os.getpid(), time.time(), file=file)


@op
def all_of_them(each): ...


@graph_asset
def many():
    return all_of_them([each() for _ in range(NUMBER)])
"""


@pytest.fixture
def launched(tmp_path):
    """Writes a project of so many ops, runs it in worker processes, and gives the lines of a file that it wrote."""

    def go(number):
        (tmp_path / "definitions.py").write_text(PROJECT.replace("NUMBER", str(number)))
        words = ["materialize", "-f", "definitions.py", "--executor", "processes", "--workers", "2"]
        subprocess.run([sys.executable, "-m", "opgraph", *words], cwd=tmp_path, check=True, capture_output=True)
        return {name: (tmp_path / name).read_text().split("\n")[:-1] for name in ("loaded", "ran")}

    return go


def test_the_start_of_processes_does_not_dominate(launched):
    """Dagster #3177, #6439: two processes serve three hundred ops, and none of them loads the project again."""
    lines = launched(300)
    assert len(lines["ran"]) == 300
    assert len({line.split()[0] for line in lines["ran"]}) <= 2
    assert len(lines["loaded"]) == 1


def test_an_op_starts_soon_after_its_run_was_asked_for(launched, tmp_path):
    """Dagster #25780: from the command to the first op it takes no more than ten times what Python itself takes to
    start and to import the library."""
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import opgraph.operate.api"], check=True)
        floor.append(time.perf_counter() - began)
        asked = time.time()
        (tmp_path / "ran").unlink(missing_ok=True)
        ours.append(float(launched(1)["ran"][0].split()[1]) - asked)
    assert statistics.median(ours) < 10 * statistics.median(floor)
