"""Memoization: what is reused, what runs again and why."""

import textwrap

import pytest

from opgraph import (
    AssetOut,
    AssetSpec,
    Config,
    ConfigurableResource,
    DataVersion,
    Definitions,
    DynamicOut,
    DynamicOutput,
    EnvVar,
    In,
    IOManager,
    Nothing,
    Out,
    Output,
    asset,
    define_asset_job,
    graph_asset,
    graph_multi_asset,
    job,
    op,
)
from opgraph.events import RunStatus, StepStarted
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.operate.planning import plan
from opgraph.plan.mistakes import WouldRun
from opgraph.plan.model import Do
from opgraph.run.instance import Instance

ran: list[str] = []


@pytest.fixture(autouse=True)
def fresh():
    ran.clear()


@pytest.fixture(params=["disk", "memory"])
def instance(request, tmp_path):
    with Instance(tmp_path / "home") if request.param == "disk" else Instance.ephemeral() as made:
        yield made


@pytest.fixture
def disk(tmp_path):
    with Instance(tmp_path / "home") as made:
        yield made


def since():
    """What ran since the last call."""
    names = list(ran)
    ran.clear()
    return names


def chain(edits=None, *, length=10, memoize=True, **options):
    """A graph asset of a chain of ops `n1` … `n10`, each adding to a list; `edits` say what some add instead."""
    made = []
    for i in range(1, length + 1):
        text = (edits or {}).get(i, f"n{i}")
        scope = {"ran": ran}
        argument = "" if i == 1 else "x"
        given = "[]" if i == 1 else "x"
        body = f"def n{i}({argument}):\n    ran.append('n{i}')\n    return [*{given}, {text!r}]\n"
        exec(body, scope)
        made.append(op(scope[f"n{i}"], **options))

    @graph_asset(memoize=memoize)
    def total():
        value = made[0]()
        for each in made[1:]:
            value = each(value)
        return value

    return Definitions(assets=[total])


def names(first, last):
    return [f"n{i}" for i in range(first, last + 1)]


def decided(made):
    """Of each step: what the plan says, and why."""
    return {s.key.rpartition(".")[2]: (s.decision.do.value, s.decision.why) for s in made.steps}


def go(defs, instance, selection=None, **options):
    outcome = materialize(defs, selection, instance=instance, **options)
    assert outcome.status is RunStatus.SUCCESS, outcome.error
    return outcome


def test_nothing_runs_twice(instance):
    """With the same code and inputs nothing runs again, and the asset has its value."""
    go(chain(), instance)
    assert since() == names(1, 10)
    assert set(decided(plan(chain(), instance=instance)).values()) == {("reuse", "same")}
    go(chain(), instance)
    assert since() == []
    assert load_asset_value(chain(), "total", instance=instance) == names(1, 10)


def test_what_is_not_memoized_runs(instance):
    """Without opting in, every op runs every time."""
    for _ in range(2):
        go(chain(memoize=None), instance)
        assert since() == names(1, 10)


def test_an_edit_runs_itself_and_what_follows(instance):
    """After an edit of op 7 of 10 only 7 and what depends on it run; the plan says so and why."""
    go(chain(), instance)
    since()
    made = decided(plan(chain({7: "new"}), instance=instance))
    assert [made[f"n{i}"] for i in range(1, 7)] == [("reuse", "same")] * 6
    assert made["n7"] == ("run", "code changed")
    assert [made[f"n{i}"] for i in range(8, 11)] == [("decide", "depends")] * 3
    go(chain({7: "new"}), instance)
    assert since() == names(7, 10)
    assert load_asset_value(chain(), "total", instance=instance)[6] == "new"


def test_an_edit_that_is_taken_back_reuses_the_older_values(instance):
    """After an edit and its undoing the older values are reused, and the asset is what the older code made."""
    go(chain(), instance)
    go(chain({7: "new"}), instance)
    since()
    go(chain(), instance)
    assert since() == []
    assert load_asset_value(chain(), "total", instance=instance) == names(1, 10)
    go(chain({7: "new"}), instance)
    assert since() == []
    assert load_asset_value(chain(), "total", instance=instance)[6] == "new"


def test_early_cutoff(instance):
    """An op that runs again and gives the same bytes stops what is downstream."""

    def defs(text):
        scope = {"ran": ran}
        exec(f"def first():\n    ran.append('first')\n    return {text}\n", scope)
        first = op(scope["first"])

        @op
        def second(x):
            ran.append("second")
            return x + 1

        @graph_asset(memoize=True)
        def both():
            return second(first())

        return Definitions(assets=[both])

    go(defs("2"), instance)
    assert since() == ["first", "second"]
    outcome = go(defs("1 + int('1')"), instance)
    assert since() == ["first"]
    assert decided(outcome.plan) == {"first": ("run", "code changed"), "second": ("decide", "depends")}


class Scale(Config):
    by: int = 1


def test_configuration(instance):
    """Other configuration runs the op again, and says so; the first configuration's values are still there."""

    @asset(memoize=True)
    def scaled(config: Scale):
        ran.append("scaled")
        return config.by

    defs = Definitions(assets=[scaled])
    for by, expected in ((1, ["scaled"]), (2, ["scaled"]), (2, []), (1, [])):
        go(defs, instance, config={"ops": {"scaled": {"config": {"by": by}}}})
        assert since() == expected
        assert load_asset_value(defs, "scaled", instance=instance) == by
    made = plan(defs, instance=instance, config={"ops": {"scaled": {"config": {"by": 5}}}})
    assert decided(made) == {"scaled": ("run", "config changed")}


def test_an_environment_variable_in_the_configuration(instance, monkeypatch):
    """What a variable holds counts, not its name."""

    @asset(memoize=True)
    def scaled(config: Scale):
        ran.append(config.by)
        return config.by

    config = {"ops": {"scaled": {"config": {"by": EnvVar.int("SCALE_BY")}}}}
    for value in ("3", "3", "4"):
        monkeypatch.setenv("SCALE_BY", value)
        go(Definitions(assets=[scaled]), instance, config=config)
    assert since() == [3, 4]


def test_inputs_from_other_assets(instance):
    """A new version of an asset that is loaded runs what reads it; the plan names the input."""
    world = {"orders": 1}

    @asset
    def orders():
        return world["orders"]

    @asset(memoize=True)
    def revenue(orders):
        ran.append("revenue")
        return orders * 10

    defs = Definitions(assets=[orders, revenue])
    go(defs, instance)
    go(defs, instance, "revenue")
    assert since() == ["revenue"]
    world["orders"] = 2
    go(defs, instance, "orders")
    made = plan(defs, "revenue", instance=instance)
    assert decided(made) == {"revenue": ("run", "input changed")}
    assert made.steps[0].decision.reason == "input orders changed since its outputs were stored"
    go(defs, instance, "revenue")
    assert since() == ["revenue"]
    world["orders"] = 1
    go(defs, instance)
    assert since() == []
    assert load_asset_value(defs, "revenue", instance=instance) == 10


def test_given_data_versions(instance):
    """Where an op gives a data version, that one counts, not the bytes."""
    world = {"value": 1}

    @op
    def source():
        world["value"] += 1
        return Output(world["value"], data_version=DataVersion("same"))

    @op
    def use(x):
        ran.append("use")
        return x

    @graph_asset(memoize=True)
    def made():
        return use(source.tag({"opgraph/memoize": "false"})())

    defs = Definitions(assets=[made])
    go(defs, instance)
    go(defs, instance)
    assert since() == ["use"]


def test_dependencies_without_values(instance):
    """What is only named as a dependency counts too: an asset that reads it by itself runs when it is new."""

    @asset
    def table() -> None: ...

    @asset(deps=[table], memoize=True)
    def report():
        ran.append("report")
        return 1

    defs = Definitions(assets=[table, report])
    go(defs, instance)
    go(defs, instance, "report")
    assert since() == ["report"]
    go(defs, instance, "table")
    go(defs, instance, "report")
    go(defs, instance)  # the table is made anew
    assert since() == ["report", "report"]


def test_an_input_without_a_version(instance):
    """What reads an external asset that was never recorded runs every time, and the plan says why."""

    @asset(deps=["outside"], memoize=True)
    def report():
        ran.append("report")
        return 1

    defs = Definitions(assets=[report, AssetSpec("outside")])
    for _ in range(2):
        go(defs, instance)
    assert since() == ["report", "report"]
    assert plan(defs, instance=instance).steps[0].decision.reason == "the version of input `outside` is not known"


def test_levels_of_opting_in(instance):
    """What is said nearest to the op holds: its call, the op, the asset, the job, the run, the project."""

    @op
    def plain(x=1):
        ran.append("plain")
        return x

    @op(memoize=False)
    def never(x):
        ran.append("never")
        return x

    @op(memoize=True)
    def always(x):
        ran.append("always")
        return x

    def defs(memoize):
        @graph_asset(memoize=memoize)
        def made():
            return always(never(plain()))

        return Definitions(assets=[made], jobs=[define_asset_job("nightly", memoize=True)])

    go(defs(None), instance)
    since()
    go(defs(None), instance)
    assert since() == ["plain", "never"]
    go(defs(None), instance, reuse="all")
    assert since() == ["plain", "never"]
    go(defs(None), instance, reuse="all")
    assert since() == ["never"]
    go(defs(None), instance, job="nightly")
    assert since() == ["never"]
    go(defs(None), instance, memoize=True)
    assert since() == ["never"]
    go(defs(False), instance, memoize=True)
    assert since() == ["plain", "never"]
    go(defs(False), instance, reuse="none")
    assert since() == ["plain", "never", "always"]


def test_jobs_of_ops(instance):
    """A job of ops is memoized like an asset, constants and inputs given by the caller included."""

    @op
    def double(x):
        ran.append("double")
        return 2 * x

    def job_with(value):
        @job(memoize=True)
        def doubled():
            double(double(value))

        return Definitions(jobs=[doubled])

    go(job_with(1), instance, job="doubled")
    assert since() == ["double", "double"]
    go(job_with(1), instance, job="doubled")
    assert since() == []
    made = plan(job_with(2), job="doubled", instance=instance)
    assert made.steps[0].decision.reason == "input x changed since its outputs were stored"
    go(job_with(2), instance, job="doubled")
    assert since() == ["double", "double"]


def test_no_reuse(instance):
    """With reuse="none" everything runs, and what it stores is reused afterwards."""
    go(chain(), instance)
    since()
    outcome = go(chain(), instance, reuse="none")
    assert since() == names(1, 10)
    assert decided(outcome.plan)["n1"] == ("run", "no reuse")
    go(chain(), instance)
    assert since() == []


def test_only_reuse(instance):
    """With reuse="only" a plan that would run anything is refused, naming each step and why."""
    with pytest.raises(WouldRun, match=r"\n  total.n1: never run"):
        plan(chain(memoize=None), instance=instance, reuse="only")
    go(chain(), instance)
    go(chain(), instance, reuse="only")
    with pytest.raises(WouldRun) as caught:
        plan(chain({7: "new"}), instance=instance, reuse="only")
    assert [key for key, _ in caught.value.steps] == ["total.n7"]
    assert list(caught.value.perhaps) == [f"total.n{i}" for i in range(8, 11)]


def test_only_reuse_tells_of_a_fan_out_in_one_line(instance):
    """The mapped steps that would run for one reason are told together, those that only may run apart from them."""

    def fanned(edit=""):
        @op(out=DynamicOut())
        def some():
            yield from (DynamicOutput(i, mapping_key=f"k{i}") for i in range(12))

        @op
        def total(xs):
            return len(xs)

        scope = {"ran": ran}
        exec(
            f"def plus(x):\n    return x + 1{edit} // (x < 6 or 'all' in ran)\n\ndef times(x):\n    return x * 2", scope
        )
        plus, times = op(scope["plus"]), op(scope["times"])

        @graph_asset(memoize=True)
        def all_of():
            return total(some().map(lambda x: times(plus(x))).collect())

        return Definitions(assets=[all_of])

    def would(edit=""):
        with pytest.raises(WouldRun) as caught:
            plan(fanned(edit), instance=instance, reuse="only")
        return caught.value.steps, caught.value.perhaps

    assert not materialize(fanned(), instance=instance).success
    new, times = "never run, as far as is remembered", "all_of.times[k{}] and {} more of its keys"
    never = (("all_of.plus[k6] and 5 more of its keys", new), ("all_of.total", new))
    assert would() == (never, (times.format(6, 5),))
    ran.append("all")
    go(fanned(), instance)
    go(fanned(), instance, reuse="only")
    edited = ("all_of.plus", "code changed since its outputs were stored")
    assert would("0") == ((edited,), (times.format(0, 11), "all_of.total"))


class Manager(IOManager):
    """Keeps values in a dict."""

    def __init__(self, kept, *, place="here"):
        self.kept, self.place = kept, place

    def handle_output(self, context, obj):
        self.kept[context.step_key, context.name] = obj

    def load_input(self, context):
        return self.kept[context.upstream_output.step_key, context.upstream_output.name]


class Versioned(Manager):
    versioned = True


def with_manager(manager, edits=None, *, length=3):
    defs = chain(edits, length=length)
    return Definitions(assets=defs.assets, resources={"io_manager": manager})


def test_another_manager(instance):
    """Values of another I/O manager, or of the same one set up otherwise, are not reused."""
    kept = {}
    go(chain(length=3), instance)
    since()
    go(with_manager(Versioned(kept)), instance)
    assert since() == names(1, 3)
    go(with_manager(Versioned(kept)), instance)
    assert since() == []
    made = plan(with_manager(Versioned(kept, place="there")), instance=instance)
    assert decided(made)["n1"] == ("run", "manager changed")


def test_a_manager_that_overwrites(instance):
    """What a manager that overwrites in place has of an intermediate is not reused where it would have to be loaded."""
    kept = {}
    go(with_manager(Manager(kept)), instance)
    go(with_manager(Manager(kept)), instance)
    assert since() == names(1, 3)  # nothing had to be loaded: the asset is the latest
    made = decided(plan(with_manager(Manager(kept), {3: "new"}), instance=instance))
    assert made == {
        "n1": ("run", "not versioned"), "n2": ("run", "not versioned"), "n3": ("run", "code changed"),
    }  # fmt: skip


def test_an_asset_of_a_manager_that_overwrites(instance):
    """After an edit and its undoing the asset is made again: the older value was overwritten."""
    kept = {}
    for edits in (None, {1: "new"}):
        go(with_manager(Manager(kept), edits, length=1), instance)
    assert decided(plan(with_manager(Manager(kept), length=1), instance=instance))["n1"] == ("run", "not versioned")


class Rates(ConfigurableResource):
    url: str


def test_resources(instance):
    """A resource with other settings runs the ops that use it, and the plan names it."""

    @asset(memoize=True)
    def priced(rates: Rates):
        ran.append(rates.url)
        return rates.url

    def defs(url):
        return Definitions(assets=[priced], resources={"rates": Rates(url=url)})

    go(defs("a"), instance)
    go(defs("a"), instance)
    assert since() == ["a"]
    made = plan(defs("b"), instance=instance)
    assert made.steps[0].decision.reason == "resource rates changed since its outputs were stored"


def parts(memoize=True):
    @op(out={"a": Out(is_required=False), "b": Out(is_required=False), "c": Out(is_required=False)}, memoize=memoize)
    def split(context):
        ran.append(",".join(sorted(context.selected_output_names)))
        for name in ("a", "b"):
            if name in context.selected_output_names:
                yield Output(name, name)

    @op
    def more(x):
        ran.append("more")
        return x

    outs = {n: AssetOut(is_required=False) for n in ("a", "b", "c", "d")}

    @graph_multi_asset(outs=outs, can_subset=True, memoize=memoize)
    def letters():
        made = split()
        return {"a": made.a, "b": made.b, "c": made.c, "d": more(made.c)}

    return Definitions(assets=[letters])


def test_outputs_that_were_not_asked_for(instance):
    """An output that was not asked for is made when it is; one that was asked for and did not come is known not to."""
    defs = parts()
    go(defs, instance, "a")
    assert since() == ["a"]
    made = plan(defs, "a or b", instance=instance)
    assert made.steps[0].decision.reason == "output `b` was not asked for when the others were stored"
    go(defs, instance, "a or b")
    go(defs, instance, "b")
    go(defs, instance, "a")
    assert since() == ["a,b"]
    go(defs, instance, "c or d")
    assert since() == ["c"]
    outcome = go(defs, instance, "c or d")
    assert since() == []
    assert {s.decision.do for s in outcome.plan.steps} == {Do.REUSE, Do.SKIP}
    assert decided(plan(defs, instance=instance))["split"] == ("reuse", "same")  # of three runs


def test_ordering_only(instance):
    """What comes after a step that stores nothing runs again when that one runs."""

    @op(out=Out(Nothing))
    def write():
        ran.append("write")

    @op(ins={"after": In(Nothing)})
    def read():
        ran.append("read")
        return 1

    @graph_asset(memoize=True)
    def loaded():
        return read(write())

    defs = Definitions(assets=[loaded])
    go(defs, instance)
    go(defs, instance)
    assert since() == ["write", "read"]
    go(defs, instance, reuse="none")
    go(defs, instance)
    assert since() == ["write", "read"]


def test_a_failed_run_is_reused_from(instance):
    """What a failed run stored is reused by the next one."""
    world = {"fails": True}

    @op
    def fine():
        ran.append("fine")
        return 1

    @op
    def maybe(x):
        ran.append("maybe")
        if world["fails"]:
            raise ValueError
        return x

    @graph_asset(memoize=True)
    def both():
        return maybe(fine())

    defs = Definitions(assets=[both])
    assert materialize(defs, instance=instance).status is RunStatus.FAILURE
    world["fails"] = False
    go(defs, instance)
    assert since() == ["fine", "maybe", "maybe"]


def test_resume_keeps_to_its_run(instance):
    """Resuming runs what failed; afterwards its values are reused."""
    world = {"fails": True}

    @op
    def fine():
        ran.append("fine")
        return 1

    @op
    def maybe(x):
        ran.append("maybe")
        if world["fails"]:
            raise ValueError
        return x

    @graph_asset(memoize=True)
    def both():
        return maybe(fine())

    defs = Definitions(assets=[both])
    failed = materialize(defs, instance=instance)
    world["fails"] = False
    resume(defs, failed.run_id, instance=instance)
    go(defs, instance)
    assert since() == ["fine", "maybe", "maybe"]


def failing(*, fails, memoize=True):
    @op
    def read():
        ran.append("read")
        return 1

    @op
    def times(x):
        ran.append("times")
        return x * 2

    @op(code_version=str(fails))
    def last(x):
        ran.append("last")
        if fails:
            raise RuntimeError
        return x

    @graph_asset(memoize=memoize)
    def value():
        return last(times(read()))

    return Definitions(assets=[value])


def test_resume_reuses_what_any_run_stored(instance):
    """What a resumed run would run takes the values of any earlier run that did the same; what was asked for runs."""
    go(failing(fails=False), instance)
    broken = materialize(failing(fails=True), instance=instance)
    assert since() == ["read", "times", "last", "last"]
    again = resume(failing(fails=False), broken.run_id, instance=instance)
    assert decided(again.plan)["last"] == ("reuse", "same")
    assert (again.success, since()) == (True, [])
    named = resume(failing(fails=False), broken.run_id, instance=instance, only=["value.last"])
    assert (named.success, since()) == (True, ["last"])


def test_a_default_of_the_project_holds_for_resumed_runs(instance):
    """Where the project memoizes, a resumed run does too: what it stores is reused by later runs."""
    broken = materialize(failing(fails=True, memoize=None), instance=instance, memoize=True)
    assert resume(failing(fails=False, memoize=None), broken.run_id, instance=instance, memoize=True).success
    since()
    go(failing(fails=False, memoize=None), instance, memoize=True)
    assert since() == []


def test_runs_beside_one_another_share_what_they_store(instance, monkeypatch):
    """What a step has stored is reused by a run that starts while the first one goes on."""
    monkeypatch.setattr("opgraph.run.store.memo._OFTEN", 0.0)
    beside = []

    def listen(_seq, fact):
        if isinstance(fact, StepStarted) and fact.step == 2 and not beside:
            beside.append(True)
            beside[0] = go(failing(fails=False), instance)

    outcome = materialize(failing(fails=False), instance=instance, listeners=[listen])
    assert outcome.success
    assert decided(beside[0].plan)["times"] == ("reuse", "same")


def test_a_value_that_is_lost(disk):
    """A stored value that is gone is made again where a step that runs needs it; the plan says so."""
    wide = "w" * 50_000
    go(chain({1: wide}, length=3), disk)
    since()
    for file in (disk.home / "values").rglob("total.n2*"):
        file.unlink()
    go(chain({1: wide}, length=3), disk)
    assert since() == []  # nothing needs it
    made = decided(plan(chain({1: wide, 3: "new"}, length=3), instance=disk))
    assert made == {"n1": ("reuse", "same"), "n2": ("run", "lost"), "n3": ("run", "code changed")}


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))


def test_a_project_function_that_is_called(disk, tmp_path, monkeypatch):
    """An edit of a function of another file of the project runs the ops that call it, as `name` or `module.name`."""
    import importlib
    import sys

    def defs(add):
        write(
            tmp_path,
            memo_tools=f"""
                def one(x):
                    return x + {add}

                class Adder:
                    def add(self, x):
                        return x + {add}
            """,
            memo_defs="""
                import memo_tools
                from memo_tools import one, Adder
                from opgraph import Definitions, asset

                @asset(memoize=True)
                def named():
                    return one(1)

                @asset(memoize=True)
                def through_module():
                    return memo_tools.one(1)

                @asset(memoize=True)
                def method():
                    return Adder().add(1)

                @asset(memoize=True)
                def other():
                    return 1

                defs = Definitions(assets=[named, through_module, method, other])
            """,
        )
        for name in ("memo_tools", "memo_defs"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module("memo_defs").defs

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    go(defs(1), disk)
    made = decided(plan(defs(20), instance=disk))
    assert made.pop("other") == ("reuse", "same")
    assert set(made.values()) == {("run", "code changed")}


def test_a_given_code_version_stands_for_the_code(instance):
    """With a code version the op's text does not matter; another version runs it."""
    go(chain(length=2, code_version="1"), instance)
    go(chain({2: "new"}, length=2, code_version="1"), instance)
    assert since() == names(1, 2)
    assert decided(plan(chain(length=2, code_version="2"), instance=instance))["n1"] == ("run", "code changed")
