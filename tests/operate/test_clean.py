"""Clean-up: what goes, when, and what never does."""

import multiprocessing
import os
import time
from collections import Counter

import pytest

from opgraph import AssetKey, Definitions, DynamicOut, DynamicOutput, asset, graph_asset, op
from opgraph.errors import ValueNotFoundError
from opgraph.operate.api import load_asset_value
from opgraph.operate.clean import CleaningRefusedError, between_ops, clean, disk_of_asset, disk_of_run, size_between
from opgraph.operate.execute import materialize, resume
from opgraph.operate.planning import plan, plan_resume
from opgraph.plan.model import Do
from opgraph.record.leases import Leases
from opgraph.run.instance import Instance
from opgraph.run.report.retention import DAY, Retention

WIDE = 50_000
world = {}


@pytest.fixture(autouse=True)
def fresh_world():
    world.clear()
    world.update(fails=False, value="v", ran=[])


@pytest.fixture
def instance(tmp_path):
    with Instance(tmp_path / "home") as made:
        yield made


@op
def small():
    world["ran"].append("small")
    print("said by small")
    return 1


@op
def wide(x):
    world["ran"].append("wide")
    return "w" * WIDE


@op
def last(x):
    world["ran"].append("last")
    if world["fails"]:
        raise ValueError
    return world["value"] + x[:3]


@op
def together(texts):
    return "".join(texts)


def defs(memoize=None):
    @graph_asset(memoize=memoize)
    def made():
        return last(wide(small()))

    return Definitions(assets=[made])


def later(days):
    return time.time() + days * DAY


def kinds(found):
    counts = Counter()
    for each in found.removals:
        counts[each.kind] += each.count
    return dict(counts)


def go(instance, **options):
    return materialize(defs(**options), instance=instance).run_id


def test_intermediates_of_a_finished_run(instance):
    """Dagster #3073, Metaflow #41, Prefect #10356: after a day the values between ops of a run that succeeded go, in
    the record and in files; the asset's stays."""
    run_id = go(instance)
    assert clean(instance, now=later(0.5)).removals == []
    found = clean(instance, now=later(2))
    assert kinds(found) == {"intermediates": 2}
    assert found.size > WIDE
    assert instance.record.value(run_id, 3) is None
    assert load_asset_value(defs(), "made", instance=instance) == "vwww"
    assert len(list((instance.home / "values").rglob("*"))) == 2  # the folder and the asset's file
    assert clean(instance, now=later(2)).removals == []


def test_a_dry_run_removes_nothing(instance):
    """A dry run says what would go, the same as what then goes."""
    go(instance)
    would = clean(instance, now=later(2), dry=True)
    assert clean(instance, now=later(2), dry=True).removals == would.removals
    assert clean(instance, now=later(2)).removals == would.removals != []


def test_from_an_op_of_a_cleaned_run(instance):
    """What is gone runs again, because it was cleaned."""
    run_id = go(instance)
    clean(instance, now=later(2))
    made = plan_resume(defs(), run_id, instance=instance, from_step="made.last")
    assert [(s.decision.do, s.decision.why) for s in made.steps] == [
        (Do.RUN, "cleaned"), (Do.RUN, "cleaned"), (Do.RUN, "asked"),
    ]  # fmt: skip
    world["ran"].clear()
    assert resume(defs(), run_id, instance=instance, from_step="made.last").success
    assert world["ran"] == ["small", "wide", "last"]


def test_a_failed_run_can_be_resumed_for_a_week(instance):
    """The values of a run that failed stay for seven days, also those that it took over from another run."""
    world["fails"] = True
    first = go(instance)
    second = resume(defs(), first, instance=instance).run_id  # refers to values of the first
    assert clean(instance, now=later(6.9)).removals == []
    world["fails"] = False
    world["ran"].clear()
    assert resume(defs(), second, instance=instance).success
    assert world["ran"] == ["last"]


def test_what_a_younger_run_took_over_stays(instance):
    """The values of an old failed run stay while a younger failed one needs them."""
    world["fails"] = True
    first = go(instance)
    week_ago = time.time() - 8 * DAY
    age(instance, first, week_ago)
    second = resume(defs(), first, instance=instance).run_id
    assert clean(instance).removals == []
    world["fails"] = False
    world["ran"].clear()
    assert resume(defs(), second, instance=instance).success
    assert world["ran"] == ["last"]


def age(instance, run_id, ended):
    """Make a run end earlier."""
    with instance.record.transaction() as connection:
        connection.execute("update runs set ended = ?, started = ?, created = ? where id = ?", (ended,) * 3 + (run_id,))
        connection.execute(
            "update materializations set time = ? where run = (select number from runs where id = ?)", (ended, run_id)
        )


def test_replaced_values_of_an_asset(instance):
    """A value that a later one replaced goes a month after it was replaced, however old it is itself."""
    for days, value in ((100, "a"), (10, "b"), (0, "c")):
        world["value"] = value
        age(instance, go(instance), time.time() - days * DAY)
    clean(instance)
    assert values_on_disk(instance) == 3
    found = clean(instance, now=later(25))
    assert kinds(found)["versions"] == 1
    assert values_on_disk(instance) == 2
    clean(instance, now=later(31))
    assert values_on_disk(instance) == 1
    assert load_asset_value(defs(), "made", instance=instance) == "cwww"


def values_on_disk(instance):
    return len(list((instance.home / "values").rglob("made.last.*")))


def test_output_and_runs(instance):
    """Dagster #4100, #4498: output goes after a month, a run after half a year; the run that made an asset's latest
    value stays."""
    old = go(instance)
    new = go(instance)
    assert instance.record.logs(old)
    clean(instance, now=later(29))
    assert instance.record.logs(old)
    clean(instance, now=later(31))
    assert not instance.record.logs(old)
    clean(instance, now=later(200))
    assert instance.record.run(old) is None
    assert instance.record.run(new) is not None
    assert load_asset_value(defs(), "made", instance=instance) == "vwww"
    assert len(instance.record.history("made")) == 1


def test_the_memo_keeps_the_last_three(instance):
    """Of a memoized step the values of the last three fingerprints are kept, and can be reused."""

    def edition(text):
        scope = {"world": world}
        exec(f"def first():\n    world['ran'].append({text!r})\n    return {text!r} * 30000\n", scope)
        first = op(scope["first"])

        @op
        def cut(x):
            return x[:2]

        @graph_asset(memoize=True)
        def made():
            return cut(first())

        return Definitions(assets=[made])

    texts = ["aa", "bb", "cc", "dd", "ee"]
    for text in texts:
        materialize(edition(text), instance=instance)
    found = clean(instance, now=later(40))
    assert kinds(found)["memo"] == 4  # two of each of the two steps
    world["ran"].clear()
    for text in texts[::-1]:
        materialize(edition(text), instance=instance)
        assert load_asset_value(edition(text), "made", instance=instance) == text
    assert world["ran"] == ["bb", "aa"]


def test_the_memo_has_a_byte_cap(instance):
    """Above the cap the values that are furthest from the last ones are forgotten."""
    go(instance, memoize=True)
    clean(instance, Retention(memo_bytes=0), now=later(2))
    assert instance.record.memos() == {}
    assert [s.decision.why for s in plan(defs(memoize=True), instance=instance).steps] == ["never run"] * 3


def test_the_memo_forgets_mapping_keys_that_are_no_more(instance):
    """Of a mapping key that a fan-out had, the values go when it has had others as many times as fingerprints are kept;
    those of the last three times can be reused, whatever the order, and those of a run that failed stay till then."""

    def edition(*keys, fails=False):
        @op(out=DynamicOut())
        def parts():
            for key in keys:
                yield DynamicOutput(key, mapping_key=key)

        @op(code_version="1")
        def loud(text):
            if fails and text == keys[-1]:
                raise ValueError
            world["ran"].append(text)
            return text * 2

        @graph_asset(memoize=True)
        def made():
            return together(parts().map(loud).collect())

        return Definitions(assets=[made])

    def known():
        return {name.partition("[")[2].rstrip("]") for name in instance.record.memos() if "[" in name} - {""}

    materialize(edition("x", "y", fails=True), instance=instance)
    for keys in ("ab", "bc", "cd"):
        materialize(edition(*keys), instance=instance)
    clean(instance, now=later(1))
    assert known() == {"a", "b", "c", "d"}  # of a run before them all there is nothing more to be expected
    world["ran"].clear()
    materialize(edition("a", "b"), instance=instance)  # used again: now `bc` is the oldest
    materialize(edition("e"), instance=instance)
    materialize(edition("f", "g", fails=True), instance=instance)
    assert world["ran"] == ["e", "f"]
    clean(instance, now=later(1))
    assert known() == {"a", "b", "c", "d", "e", "f"}
    materialize(edition("h"), instance=instance)
    clean(instance, now=later(1))
    assert known() == {"a", "b", "e", "f", "h"}
    assert all(len(rows) <= 3 for rows in instance.record.memos().values())


def test_memoized_values_outlive_their_run(instance):
    """What the memo remembers stays when the run's other values go."""
    go(instance, memoize=True)
    clean(instance, now=later(300))
    world["ran"].clear()
    world["value"] = "x"
    materialize(defs(memoize=True), instance=instance)
    assert world["ran"] == []


def test_orphans(instance):
    """Half-written files and files that no fact refers to go when they are an hour old; others' files stay."""
    run_id = go(instance)
    folder = instance.home / "values" / run_id
    for name in ("made.wide.1.result.0123456789ab", "made.wide.1.result.0123456789ab.part", "mine.txt"):
        (folder / name).write_text("x")
    assert kinds(clean(instance)) == {}
    assert kinds(clean(instance, now=time.time() + 3700)) == {"orphans": 2}
    assert (folder / "mine.txt").exists()
    assert load_asset_value(defs(), "made", instance=instance) == "vwww"


def test_a_run_that_goes_on_is_left_alone(instance):
    """Nothing of a living run goes, however old it is, nor what it refers to."""
    world["fails"] = True
    first = go(instance)
    world["fails"] = False
    second = resume(defs(), first, instance=instance).run_id
    with instance.record.transaction() as connection:
        connection.execute("update runs set status = 'STARTED', ended = null where id = ?", (second,))
    writer = instance.record.claim(second, pid=1, host="", now=0.0)
    assert kinds(clean(instance, now=later(300))) == {"output": 1}
    writer.release()
    assert kinds(clean(instance, now=later(300))) == {"run": 1}


def test_planning_keeps_clean_up_away(instance):
    """While a plan is made nothing is removed; while something is removed no plan is made."""
    go(instance)
    with instance.record.planning() as gate:
        with pytest.raises(CleaningRefusedError):
            clean(instance, now=later(2), wait=0.0)
        gate.done()
        assert clean(instance, now=later(2), wait=0.0).removals


def _hold(path, ready, leave):
    leases = Leases(path)
    with leases.planning():
        ready.set()
        leave.wait(30)


def test_planning_in_another_process(instance, tmp_path):
    """The same holds across processes, and ends with the process."""
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    path = instance.home / "record.db.leases"
    process = context.Process(target=_hold, args=(path, ready, leave))
    process.start()
    assert ready.wait(30)
    with pytest.raises(CleaningRefusedError):
        clean(instance, wait=0.0)
    process.kill()
    process.join()
    clean(instance, wait=5.0)


def test_after_a_run(instance):
    """Dagster #15526, #33785: after a run a little is cleaned up, at most once an hour, and not where the project says
    so."""
    old = go(instance)
    age(instance, old, time.time() - 2 * DAY)
    go(instance)
    assert instance.record.run(old).cleaned is None
    os.utime(instance.home / "cleaned", (0, 0))
    instance.retention = None
    go(instance)
    assert instance.record.run(old).cleaned is None
    instance.retention = Retention()
    go(instance)
    assert instance.record.run(old).cleaned is not None


def test_a_short_time(instance):
    """With no time at all nothing is removed, and the clean-up says that it is not complete."""
    go(instance)
    found = clean(instance, now=later(2), seconds=0.0)
    assert not found.complete
    assert found.removals == []


def test_disk(instance):
    """What runs and assets take up is known, before and after."""
    first, second = go(instance), go(instance)
    assert disk_of_run(instance, first).files > WIDE
    one = disk_of_run(instance, second).record
    assert one > 0
    assert disk_of_asset(instance, "made").files == 2 * disk_of_asset_once(instance)
    clean(instance, now=later(300))
    assert disk_of_run(instance, second).files < WIDE
    assert disk_of_asset(instance, "made").files == disk_of_asset_once(instance)


def disk_of_asset_once(instance):
    return instance.record.latest(["made"])["made"].stored.size


def test_in_memory():
    """An instance in memory is cleaned up the same way."""
    with Instance.ephemeral() as instance:
        go(instance)
        assert kinds(clean(instance, now=later(2))) == {"intermediates": 2}
        assert load_asset_value(defs(), "made", instance=instance) == "vwww"


def test_what_is_kept_between_mapped_ops(instance):
    """The bytes between the ops of a definition are the same whether its mapped ops are told apart or not, also where
    another definition of the same run fans out too."""

    @op(out=DynamicOut())
    def each():
        yield DynamicOutput("a", mapping_key="a")
        yield DynamicOutput("bb", mapping_key="b")

    @op
    def double(text):
        return text * 2

    @op
    def longer(text):
        return text * 100

    @graph_asset
    def first():
        return together(each().map(double).map(longer).collect())

    @graph_asset
    def second():
        return together(each().map(longer).collect())

    materialize(Definitions(assets=[first, second]), instance=instance)
    sizes = {unit: size_between(instance, unit) for unit in ("first", "second")}
    assert sizes == {unit: sum(value.size for value in between_ops(instance, unit)) for unit in sizes}
    assert sizes["first"] > sizes["second"] > 300
    assert Counter(value.node for value in between_ops(instance, "first")) == {
        "first.each": 2,
        "first.double": 2,
        "first.longer": 2,
    }


def test_a_wiped_asset_frees_its_values(instance):
    """Dagster #14749: an asset that is wiped has no value, nobody reuses what it had, and clean-up removes it; the
    others keep theirs. (Of a partition the same holds as soon as there are partitions.)"""

    @asset
    def other():
        return "x" * WIDE

    definitions = Definitions(assets=[*defs(memoize=True).assets, other])
    materialize(definitions, instance=instance)
    world["ran"].clear()
    instance.wipe_assets([AssetKey("made")])
    with pytest.raises(ValueNotFoundError, match="made"):
        load_asset_value(definitions, "made", instance=instance)
    clean(instance, Retention(memo=0, intermediates=0, versions=0), now=later(2))
    assert {file.name.split(".")[0] for file in (instance.home / "values").rglob("*") if file.is_file()} == {"other"}
    assert load_asset_value(definitions, "other", instance=instance) == "x" * WIDE
    materialize(definitions, ["made"], instance=instance)
    assert world["ran"] == ["small", "wide", "last"]
