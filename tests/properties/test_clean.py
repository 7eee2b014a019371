"""Clean-up removes nothing that anyone may ask for, whatever was run, edited, resumed and cleaned up before."""

from __future__ import annotations

import tempfile
import time
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import opgraph
from opgraph import graph_asset, op
from opgraph.errors import ValueNotFoundError
from opgraph.events import Place, RunStatus
from opgraph.operate.clean import clean
from opgraph.operate.execute import materialize, resume
from opgraph.operate.planning import past_of
from opgraph.plan.model import Do, decode_plan
from opgraph.run.report.retention import DAY, Retention

SIZES = (10, 40_000)  # beside a fact, and in a file
LINE = ("a1", "deal", "each", "a2", "b1", "b2")  # what each op gives is taken by the next


class World:
    """Two graph assets, one with a fan-out and one made from it, in several editions; and a clock that only moves
    forward."""

    def __init__(self, instance: Any, *, memoize: bool) -> None:
        self.instance, self.memoize = instance, memoize
        self.days = 0.0
        self.broken = ""
        self.texts = dict.fromkeys(LINE, 0)
        self.latest: dict[str, str] = {}
        self.retention = Retention()
        self.ran: list[str] = []

    @property
    def now(self) -> float:
        return time.time() + self.days * DAY

    def definitions(self) -> Any:
        world = self

        def made(name: str, size: int) -> Any:
            text = f"{name}{self.texts[name]}"
            scope: dict[str, Any] = {"world": world, "opgraph": opgraph}
            exec(
                f"def {name}(x='-'):\n"
                f"    world.ran.append({name!r})\n"
                f"    if world.broken == {name!r}:\n        raise ValueError\n"
                f"    value = ''.join(x).split('|')[0] + {text!r} + '|' + '.' * {size}\n"
                + (
                    "    return [opgraph.DynamicOutput(value, key) for key in 'xy']\n"
                    if name == "deal"
                    else "    return value\n"
                ),
                scope,
            )
            return op(scope[name], out=opgraph.DynamicOut()) if name == "deal" else op(scope[name])

        a1, deal, each, a2, b1, b2 = (made(name, SIZES[i % 3 > 0]) for i, name in enumerate(LINE))

        @graph_asset(memoize=self.memoize)
        def a():
            return a2(deal(a1()).map(each).collect())

        @graph_asset(memoize=self.memoize)
        def b(a):
            return b2(b1(a))

        return opgraph.Definitions(assets=[a, b])

    def run(self, selection: str, broken: str) -> None:
        self.broken = broken
        self._ended(materialize(self.definitions(), selection, instance=self.instance))

    def resume(self, run_id: str) -> None:
        self.broken = ""
        self._ended(resume(self.definitions(), run_id, instance=self.instance))

    def _ended(self, outcome: Any) -> None:
        with self.instance.record.transaction() as connection:  # it ran at this world's time
            moved = (self.now, self.now, outcome.run_id)
            connection.execute("update runs set created = ?, ended = ? where id = ?", moved)
            connection.execute(
                "update materializations set time = ? where run = (select number from runs where id = ?)",
                (self.now, outcome.run_id),
            )

    def check(self) -> None:
        """What must be there is there."""
        record = self.instance.record
        for asset, latest in record.latest(record.assets()).items():
            value = self.definitions().load_asset_value(opgraph.AssetKey([asset]), instance=self.instance)
            assert isinstance(value, str)
            assert record.run(latest.run_id).plan
        for rows in record.memos().values():
            for row in rows[: self.retention.memo]:
                assert all(self.there(kept.run, kept.seq, kept.stored) for kept in row.kept)
        for listed in record.runs(status=[RunStatus.FAILURE]):
            if self.now - listed.ended < self.retention.failed * DAY:
                row = record.run(listed.run_id)
                for step in decode_plan(row.plan).steps:
                    if step.decision.do is Do.REUSE and step.decision.why == "recorded":
                        assert all(self.there(kept.run, kept.seq, kept.stored) for kept in step.decision.kept)
                for seq, fact in record.facts(listed.run_id):
                    for stored in getattr(fact, "outputs", ()):
                        assert self.there(listed.run_id, seq, stored)

    def there(self, run: str, seq: int, stored: Any) -> bool:
        inline = self.instance.record.value(run, seq) if stored.place is Place.INLINE else None
        try:
            self.instance.intermediates.get(stored, inline)
        except ValueNotFoundError:
            return False
        return True


def op_of(key: str) -> str:
    """`each` of `a.each[x]`."""
    return key.partition(".")[2].partition("[")[0]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_may_be_asked_for_stays(random: Random) -> None:
    """After any history and any clean-up the latest value of each asset, what the memo remembers, and what a failed run
    of the last week stored or took over can be loaded. Resuming such a run never runs again what succeeded; resuming an
    older one does so only for what takes it and runs too."""
    with tempfile.TemporaryDirectory() as folder, opgraph.Instance(folder) as instance:
        instance.retention = None  # only when this test says so
        world = World(instance, memoize=random.random() < 0.5)
        for _ in range(random.randint(3, 9)):
            world.days += random.choice([0, 0, 0.5, 1.5, 6, 8, 31, 200])
            what = random.choice(["edit", "run", "run", "resume"])
            if what == "edit":
                world.texts[random.choice(list(world.texts))] += random.choice([-1, 1])
            elif what == "run":
                world.run(random.choice(["a", "*b"]), random.choice(["", "", *world.texts]))
            else:
                rows = instance.record.runs(status=[RunStatus.FAILURE])
                if rows:
                    row = random.choice(rows)
                    young = world.now - row.ended < 7 * DAY
                    before = past_of(instance.record.run(row.run_id), instance).steps
                    succeeded = {op_of(key) for key, each in before.items() if each.ending == "succeeded"}
                    world.ran.clear()
                    world.resume(row.run_id)
                    again = succeeded.intersection(world.ran)
                    assert not young or not again
                    assert all(LINE[LINE.index(name) + 1] in world.ran for name in again)
            clean(instance, now=world.now, seconds=random.choice([None, 5.0, 0.0]))
            world.check()
