"""Random fan-outs, nested, with failures, against plain loops: what runs, what comes of it, what a second run does."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any
from zlib import crc32

import pytest

from opgraph import Definitions, DynamicOut, DynamicOutput, Instance, graph_asset, op
from opgraph.operate.execute import materialize, resume
from opgraph.operate.fold import Fold
from opgraph.operate.inspect import folded, plan_of

PROGRAMS = 200


@dataclass(frozen=True)
class Level:
    """A fan-out: what is done with each of its values, and how they are put together."""

    number: int
    seed: int
    chain: int  # ops on the value
    inner: "Level | None"
    joined: bool  # an op takes what the inner fan-out gives
    outside: bool  # an op takes the value from which the fan-out was made as well
    as_dict: bool
    allow_failed: bool
    stream: bool

    def values(self, given: str) -> list[tuple[str, str]]:
        random = Random(f"{self.seed} {given}")
        return [(f"k{i}", f"{given}.{self.number}{i}") for i in random.sample(range(5), random.choice((0, 1, 2, 3)))]


def level(random: Random, depth: int) -> Level:
    inner = level(random, depth - 1) if depth and random.random() < 0.7 else None
    coin = [random.random() < 0.5 for _ in range(5)]
    return Level(depth, random.randrange(10**6), random.choice((0, 1, 1, 2)), inner, *coin)


class Failed(Exception):
    pass


class World:
    """What the ops do, and what they did."""

    def __init__(self, seed: int, rate: int) -> None:
        self.seed, self.rate, self.ran = seed, rate, Counter[tuple[str, str]]()

    def call(self, name: str, *given: Any) -> str:
        """An op's work: noted, and now and then a failure; which one depends on what is given alone."""
        text = " ".join(map(repr, given))
        self.ran[name, text] += 1
        if is_failing(self.seed, self.rate, name, text):
            raise Failed(name)
        return f"{name}<{crc32(text.encode()):x}>"


def looped(world: World, each: Level, given: str) -> Any:
    """The fan-out as plain loops. A failure keeps back only what needs what failed."""
    world.call(f"fan{each.number}", given)
    found: list[tuple[str, Any]] = []
    failed = False
    for key, start in each.values(given):
        try:
            value: Any = start
            for i in range(each.chain):
                value = world.call(f"work{each.number}{i}", value)
            if each.inner is not None:
                inside = looped(world, each.inner, value)
                value = world.call(f"join{each.number}", inside, value) if each.joined else inside
            if each.outside:
                value = world.call(f"pair{each.number}", value, given)
            found.append((key, value))
        except Failed:
            failed = True
    if failed and not each.allow_failed:
        raise Failed
    return dict(found) if each.as_dict else [value for _, value in found]


def composed(world: World, each: Level, given: Any) -> Any:
    """The same, in a graph's body."""

    def step(name: str, *values: Any) -> Any:
        if len(values) == 1:

            @op(name=name)
            def one(x):
                return world.call(name, x)

            return one(*values)

        @op(name=name)
        def two(x, y):
            return world.call(name, x, y)

        return two(*values)

    @op(name=f"fan{each.number}", out=DynamicOut(stream=each.stream))
    def fan(value):
        world.call(f"fan{each.number}", value)
        for key, text in each.values(value):
            yield DynamicOutput(text, mapping_key=key)

    def body(value: Any) -> Any:
        for i in range(each.chain):
            value = step(f"work{each.number}{i}", value)
        if each.inner is not None:
            inside = composed(world, each.inner, value)
            value = step(f"join{each.number}", inside, value) if each.joined else inside
        return step(f"pair{each.number}", value, given) if each.outside else value

    return fan(given).map(body).collect(as_dict=each.as_dict, allow_failed=each.allow_failed)


def definitions(world: World, root: Level) -> Definitions:
    @op
    def start():
        return "s"

    @op
    def end(value):
        return value

    @graph_asset(memoize=True)
    def found():
        return end(composed(world, root, start()))

    return Definitions(assets=[found])


@pytest.mark.parametrize(
    ("seed", "executor"),
    [*((seed, "in_process") for seed in range(PROGRAMS)), *((seed, "threads") for seed in range(0, PROGRAMS, 6))],
)
def test_a_fan_out_is_a_loop(seed, executor):
    """The same ops run on the same values and the same comes out; resumed without the failures, what had failed and
    what needs it runs, and nothing else; what is memoized does not run twice."""
    random = Random(seed)
    root = level(random, random.choice((0, 1, 2, 3)))
    rate = random.choice((0, 5, 9, 30))
    expected, world = World(seed, rate), World(seed, rate)
    defs, instance = definitions(world, root), Instance.ephemeral()
    value: Any = None
    try:
        value, fails = looped(expected, root, "s"), False
    except Failed:
        fails = True
    first = materialize(defs, instance=instance, executor=executor)
    assert world.ran == expected.ran
    assert first.success == (not any(is_failing(seed, rate, *each) for each in expected.ran))
    if not fails:
        assert defs.load_asset_value("found", instance=instance) == value
    whole = World(seed, 0)
    value = looped(whole, root, "s")
    if not first.success:
        before, world.ran, world.rate = world.ran, Counter(), 0
        again = resume(defs, first.run_id, instance=instance, executor=executor)
        assert again.success, again.error
        twice = [each for each in before & world.ran if not each[1].startswith(("{}", "[]"))]  # of several keys
        assert (before | world.ran).keys() == (whole.ran | before).keys(), "all that is needed ran, in one of the runs"
        assert all(is_failing(seed, rate, *each) for each in twice), "and nothing else ran again"
    assert defs.load_asset_value("found", instance=instance) == value
    world.ran, world.rate = Counter(), 0
    assert materialize(defs, instance=instance, executor=executor).success
    assert not world.ran
    assert defs.load_asset_value("found", instance=instance) == value
    for row in instance.record.runs():
        told_at_once_or_one_by_one(instance.record, row.run_id)


def told_at_once_or_one_by_one(record: Any, run_id: str) -> None:
    """Where the steps of a run stand is the same, whether its facts are taken in together or as they come."""
    plan = plan_of(record, run_id)
    together, apart = folded(record, run_id, plan), Fold(plan)
    for seq, fact in record.facts(run_id):
        apart.add(seq, fact)
    for name in (each for each in Fold.__slots__ if each != "_made"):
        assert getattr(together, name) == getattr(apart, name), name
    for step in range(len(apart.phase)):
        assert (together.key(step), together.row(step)) == (apart.key(step), apart.row(step))


def is_failing(seed: int, rate: int, name: str, text: str) -> bool:
    """Whether an op fails on what it is given."""
    return bool(rate) and crc32(f"{seed} {name} {text}".encode()) % rate == 0
