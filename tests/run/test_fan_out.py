"""Fan-outs, from a graph's body to the values: what runs, in which order, what is loaded, what is resumed."""

import tracemalloc

import pytest

from opgraph import (
    Definitions,
    DynamicOut,
    DynamicOutput,
    EventType,
    In,
    Instance,
    InvalidDefinitionError,
    InvariantViolationError,
    Nothing,
    Out,
    Output,
    graph,
    graph_asset,
    job,
    materialize,
    mem_io_manager,
    op,
)
from opgraph.operate import execute

said: list[str] = []


@pytest.fixture(autouse=True)
def _quiet():
    said.clear()


@op(out=DynamicOut())
def letters():
    for letter in "abc":
        said.append(f"yield {letter}")
        yield DynamicOutput(letter, mapping_key=letter)


@op
def double(x):
    said.append(f"double {x}")
    return x * 2


@op
def mark(x):
    said.append(f"mark {x}")
    return f"<{x}>"


@op
def join(xs):
    return "".join(xs)


@op(out=DynamicOut())
def numbered(x):
    for i in range(2):
        yield DynamicOutput(f"{x}{i}", mapping_key=f"n{i}")


def test_mapped_steps_start_while_the_generator_is_yielding_and_a_chain_ends_before_the_next_key():
    """Each value's chain runs before the generator goes on."""

    @graph_asset
    def word():
        return join(letters().map(lambda x: mark(double(x))).collect())

    result = materialize([word], instance=Instance.ephemeral())
    assert result.asset_value("word") == "<aa><bb><cc>"
    assert said[:6] == ["yield a", "double a", "mark aa", "yield b", "double b", "mark bb"]
    assert result.output_for_node("word.double") == {"a": "aa", "b": "bb", "c": "cc"}
    keys = [event.step_key for event in result.all_events if event.event_type is EventType.STEP_SUCCESS]
    assert "word.mark[b]" in keys


def test_a_value_from_outside_the_map_and_several_outputs():
    """`.map(lambda x: op(x, other))`; an op of several outputs is unpacked, and each output collected."""

    @op(out={"head": Out(), "tail": Out(is_required=False)})
    def split(x, suffix):
        yield Output(x + suffix, "head")
        if x != "b":
            yield Output(x, "tail")

    @op
    def suffix():
        return "!"

    @op
    def both(heads, tails):
        return heads, tails

    @graph_asset
    def parts():
        s = suffix()
        head, tail = letters().map(lambda x: split(x, s))
        return both(head.collect(), tail.collect())

    result = materialize([parts], instance=Instance.ephemeral())
    assert result.asset_value("parts") == (["a!", "b!", "c!"], ["a", "c"])


def test_fan_outs_nest_and_are_collected_as_the_graphs_output():
    """A fan-out in a fan-out, through a nested graph, collected level by level, as lists and as dicts."""

    @graph
    def inner(x):
        return numbered(x).map(double).collect()

    @graph_asset
    def lists():
        return letters().map(inner).collect()

    @graph_asset
    def dicts():
        return letters().map(lambda x: numbered(x).map(double).collect(as_dict=True)).collect(as_dict=True)

    @graph_asset
    def flat():
        return join(letters().map(lambda x: join.alias("inside")(numbered(x).map(double).collect())).collect())

    result = materialize([lists, dicts, flat], instance=Instance.ephemeral())
    assert result.asset_value("lists") == [["a0a0", "a1a1"], ["b0b0", "b1b1"], ["c0c0", "c1c1"]]
    assert result.asset_value("dicts")["b"] == {"n0": "b0b0", "n1": "b1b1"}
    assert result.asset_value("flat") == "a0a0a1a1b0b0b1b1c0c0c1c1"
    assert result.output_for_node("dicts.double")["a"] == {"n0": "a0a0", "n1": "a1a1"}


def test_an_inner_mapped_step_takes_values_of_the_outer_one():
    """What stands in a fan-out may take what stands in the one around it."""

    @op
    def pair(x, y):
        return f"{x}-{y}"

    @graph_asset
    def pairs():
        return letters().map(lambda x: numbered(x).map(lambda n: pair(double(x), n)).collect()).collect()

    result = materialize([pairs], instance=Instance.ephemeral())
    assert result.asset_value("pairs")[0] == ["aa-a0", "aa-a1"]
    assert said.count("double a") == 1


def test_an_empty_fan_out_gives_an_empty_list_unless_its_output_is_optional():
    """No value is as good as several; where the output is optional, what collects it is skipped."""

    @op(out={"none": DynamicOut(), "maybe": DynamicOut(is_required=False)})
    def nothing():
        yield from ()

    @op
    def count(xs):
        return len(xs)

    @job
    def counts():
        none, maybe = nothing()
        count(none.map(double).collect())
        count.alias("never")(maybe.map(double).collect())

    result = counts.execute_in_process()
    assert result.success
    assert result.output_for_node("count") == 0
    assert result.is_node_skipped("never")


def test_order_alone_may_wait_for_a_fan_out():
    """A `Nothing` input takes a collected fan-out: its op comes after all the steps."""

    @op(ins={"after": In(Nothing)})
    def last():
        said.append("last")

    @job
    def ordered():
        last(letters().map(double).collect())

    assert ordered.execute_in_process().success
    assert said[-1] == "last"


def test_without_streaming_the_mapped_steps_wait_for_the_generator():
    """`DynamicOut(stream=False)`: nothing of a generator that fails is mapped."""

    @op(out=DynamicOut(stream=False))
    def fails():
        yield DynamicOutput(1, mapping_key="one")
        raise ValueError

    @job
    def stops():
        fails().map(double)

    assert not stops.execute_in_process(raise_on_error=False).success
    assert said == []


bad: set[str] = set()


@op
def fragile(context, x):
    said.append(f"fragile {x}")
    if context.get_mapping_key() in bad:
        raise ValueError(x)
    return x


@pytest.mark.parametrize("allow", [False, True])
def test_one_mapped_step_fails(allow):
    """The others go on; what collects them does not run, unless it takes what succeeded."""

    @graph_asset
    def word():
        return join(letters().map(fragile).collect(allow_failed=allow))

    bad.add("b")
    result = materialize([word], instance=Instance.ephemeral(), raise_on_error=False)
    bad.clear()
    assert not result.success
    assert said.count("fragile c") == 1
    assert result.get_failed_step_keys() == {"word.fragile[b]"}
    if allow:
        assert result.asset_value("word") == "ac"


def test_from_failure_runs_only_the_mapped_steps_that_failed(tmp_path):
    """Over several generations: what succeeded is reused, whether the generator is reused or yields anew."""
    stop = {"c"}

    @op(out=DynamicOut())
    def some():
        for letter in "abc":
            if letter in stop:
                raise RuntimeError
            yield DynamicOutput(letter, mapping_key=letter)

    @graph_asset
    def word():
        return join(some().map(lambda x: mark(fragile(x))).collect())

    defs = Definitions(assets=[word])
    with Instance(str(tmp_path)) as instance:
        bad.add("b")
        first = execute.materialize(defs, instance=instance)
        assert [each for each in said if "fragile" in each] == ["fragile a", "fragile b"]
        said.clear()
        stop.clear()
        second = execute.resume(defs, first.run_id, instance=instance)
        assert said == ["fragile b", "fragile c", "mark c"]
        said.clear()
        bad.clear()
        third = execute.resume(defs, second.run_id, instance=instance)
        assert third.success
        assert said == ["fragile b", "mark b"]
        said.clear()
        fourth = execute.resume(defs, third.run_id, instance=instance, from_step="word.mark")
        assert fourth.success
        assert said == ["mark a", "mark b", "mark c"]


def test_from_one_key_of_a_nested_fan_out(tmp_path):
    """What comes after one step of a nested fan-out runs again: what collects its level, of that key alone, and on."""
    said = []

    @op(out=DynamicOut())
    def rows(letter):
        for number in "12":
            yield DynamicOutput(letter + number, mapping_key=number)

    @op
    def cell(x):
        said.append(f"cell {x}")
        return x

    @op
    def row(xs):
        said.append(f"row {xs[0][0]}")
        return "-".join(xs)

    @op
    def again(x):
        said.append(f"again {x}")
        return x

    @graph_asset
    def table():
        return join(letters().map(lambda x: again(row(rows(x).map(cell).collect()))).collect())

    defs = Definitions(assets=[table])
    with Instance(str(tmp_path)) as instance:
        first = execute.materialize(defs, instance=instance)
        said.clear()
        assert execute.resume(defs, first.run_id, instance=instance, from_step="table.cell[b][2]").success
        assert said == ["cell b2", "row b", "again b1-b2"]


def test_values_may_stay_in_memory():
    """A manager that keeps values in memory tells the values of a fan-out apart."""

    @graph_asset
    def word():
        return join(letters().map(double).collect())

    assert materialize([word], resources={"io_manager": mem_io_manager}).asset_value("word") == "aabbcc"


def test_a_mapped_output_of_a_job_is_a_dict_by_key():
    """A graph that returns a fan-out gives its values by mapping key; collected, a list."""

    @graph
    def fanned():
        return letters().map(double)

    @graph
    def gathered():
        return letters().map(double).collect()

    assert fanned.execute_in_process().output_value() == {"a": "aa", "b": "bb", "c": "cc"}
    assert gathered.execute_in_process().output_value() == ["aa", "bb", "cc"]


def test_returned_lists_and_direct_calls():
    """A dynamic output may be returned as a list; a direct call gives what the function gives."""

    @op(out=DynamicOut())
    def listed():
        return [DynamicOutput(n, mapping_key=str(n)) for n in (1, 2)]

    @job
    def run():
        listed().map(double)

    assert run.execute_in_process().output_for_node("double") == {"1": 2, "2": 4}
    assert [each.value for each in listed()] == [1, 2]


@pytest.mark.parametrize(
    ("out", "given", "problem"),
    [
        (DynamicOut(), [1], "must yield DynamicOutput"),
        (DynamicOut(), [Output(1)], "must yield DynamicOutput"),
        (DynamicOut(), [DynamicOutput(1, "a"), DynamicOutput(2, "a")], '"a" multiple times'),
        (Out(), [DynamicOutput(1, "a")], "did not use DynamicOut"),
    ],
)
def test_what_a_generator_yields_wrongly(out, given, problem):
    """Each mistake of a generator is a failure that names the op and says what was expected."""

    @op(out=out)
    def wrong():
        yield from given

    @job
    def run():
        wrong()

    with pytest.raises(InvariantViolationError, match=problem if given != [1] else "wrong"):
        run.execute_in_process()


def test_a_fan_out_as_an_asset_is_a_mistake_that_says_so():
    """An asset is one value: what returns many is told to collect them."""

    @graph_asset
    def many():
        return letters().map(double)

    with pytest.raises(InvalidDefinitionError, match="collect"):
        materialize([many])


def test_what_a_run_keeps_of_a_mapped_step_is_small(tmp_path):
    """The engine's 300 bytes, the value with its bytes, and nothing of its context: well under a kilobyte a step."""
    many, grown = 3_000, [0]

    @op(out=DynamicOut())
    def numbers():
        tracemalloc.start()
        for i in range(many):
            yield DynamicOutput(i, mapping_key=str(i))

    @op
    def double(context, x):
        return 2 * x

    @op
    def total(xs):
        grown[0] = tracemalloc.get_traced_memory()[0]
        return sum(xs)

    @graph_asset
    def doubled():
        return total(numbers().map(double).collect())

    try:
        with Instance.local_temp(tmp_path) as instance:
            materialize([doubled], instance=instance)
    finally:
        tracemalloc.stop()
    assert grown[0] / many <= 1_000
