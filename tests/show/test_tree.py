"""The tree on the screen: it fits, it shows what matters, and it is cheap to draw."""

import pytest

from opgraph import Definitions, DynamicOut, DynamicOutput, Instance, graph_asset, op
from opgraph.events import (
    CancelRequested,
    ErrorInfo,
    Kept,
    OutputStored,
    Place,
    RunEnded,
    RunStarted,
    RunStatus,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    Stored,
)
from opgraph.operate.fold import Fold
from opgraph.operate.planning import plan
from opgraph.plan.model import Decision, Do, Plan, Retry, Role, Step, StepOutput
from opgraph.show.cli import ink
from opgraph.show.cli.plain import PlainLines
from opgraph.show.cli.tree import RunTree, tally

RUN = Decision(Do.RUN, "selected")


def plan_of(**units):
    """A plan of units with so many ops each; one op: a plain asset."""
    steps = []
    for name, count in units.items():
        keys = [name] if count == 1 else [f"{name}.op_{i}" for i in range(count)]
        for i, key in enumerate(keys):
            last = i == count - 1
            output = StepOutput("result", Role.SELECTED if last else Role.NEEDED, asset=name if last else None)
            steps.append(Step(key, key, "op", (), (output,), RUN, unit=name))
    return Plan(job="j", steps=tuple(steps))


def ran(plan, upto, running=0):
    """The tree after so many steps have ended and so many more have started."""
    tree = RunTree(Fold(plan))
    tree.fold.add(1, RunStarted(100.0, 1))
    for i in range(upto + running):
        tree.fold.add(2, StepStarted(i, 1, 100.0))
        tree.note(i)
        if i < upto:
            tree.note(tree.fold.add(3, StepSucceeded(i, 1, 100.5)))
    return tree


def text(lines):
    return [ink.paint(line, colour=False) for line in lines]


def test_a_small_run_is_shown_in_full():
    """Where it fits, every op has its row in the order of the plan, with glyph and time."""
    rows = text(ran(plan_of(a=1, g=2), 1, running=1).fitting(20, 101.0))
    assert [row.split()[:2] for row in rows] == [
        ["✓", "a"],
        [rows[1].split()[0], "g"],
        [rows[2].split()[0], "op_0"],
        ["·", "op_1"],
    ]
    assert rows[0].endswith("500 ms")
    assert "1.00 s" in rows[2]


@pytest.mark.parametrize("rows", [3, 5, 8, 20, 50])
@pytest.mark.parametrize(
    ("units", "upto"),
    [
        ({"g": 10_000}, 5000),
        ({f"a{i}": 1 for i in range(500)}, 250),
        ({"a": 1, "g": 300, "b": 1, "h": 300}, 100),
        ({"a": 40, "b": 40}, 0),
    ],
)
def test_a_big_run_is_folded_until_it_fits(units, upto, rows):
    """Never more rows than there is room for; what runs is among them, and what is hidden is counted."""
    tree = ran(plan_of(**units), upto, running=1)
    shown = text(tree.fitting(rows, 101.0))
    assert len(shown) <= rows
    running = tree.plan.steps[upto]
    if rows >= 8:
        assert any(running.key.rsplit(".", 1)[-1] in row or running.unit in row for row in shown)
        assert tree.rows_in_full < 100 or any(row.lstrip().startswith("…") for row in shown)


def test_after_the_run_finished_graphs_are_one_row_and_failures_stay():
    """The last picture folds a big graph to one row, and keeps the op that failed."""
    plan = plan_of(a=1, g=300)
    tree = ran(plan, 200)
    tree.fold.add(4, StepStarted(200, 1, 100.0))
    tree.note(tree.fold.add(4, StepFailed(200, 1, 101.0, ErrorInfo("ValueError", "no\nway"))))
    tree.fold.add(5, RunEnded(101.0, RunStatus.FAILURE))
    rows = text(tree.folded(40, 101.0))
    assert len(rows) == 3
    assert "300 ops: 199 ran, 1 failed, 100 not reached" in rows[1]
    assert rows[2].split() == ["✗", "op_199", "1.00", "s", "ValueError:", "no"]
    assert tally(tree.fold) == "200 ran · 1 failed · 100 not reached"


def test_after_a_run_of_many_assets_the_last_and_the_bad_ones_stay():
    """More assets than rows: those that failed, the last ones that ran, and the number of the others."""
    tree = ran(plan_of(**{f"a{i}": 1 for i in range(100)}), 98)
    tree.fold.add(4, StepStarted(98, 1, 100.0))
    tree.note(tree.fold.add(4, StepFailed(98, 1, 101.0, ErrorInfo("ValueError", "no"))))
    tree.fold.add(5, RunEnded(101.0, RunStatus.FAILURE))
    rows = text(tree.folded(20, 101.0))
    assert len(rows) <= 20
    assert rows[1].split()[:2] == ["✗", "a98"]
    assert rows[-1].split()[:2] == ["✓", "a97"]
    assert rows[0] == f"… {100 - len(rows) + 1} more"


def test_a_step_that_is_to_be_tried_again_says_so():
    """Between two attempts the row has the error and that it is not the end; afterwards the number of the attempt."""
    plan = Plan(job="j", steps=(Step("a", "a", "op", (), (), RUN, unit="a", retry=Retry(2)),))
    tree = ran(plan, 0, running=1)
    tree.fold.add(2, StepFailed(0, 1, 100.5, ErrorInfo("ValueError", "no")))
    assert "attempt 1 failed, trying again: ValueError: no" in text(tree.full(101.0))[0]
    tree.fold.add(3, StepStarted(0, 2, 101.0))
    tree.fold.add(4, StepSucceeded(0, 2, 102.0))
    assert text(tree.full(103.0))[0].split() == ["✓", "a", "1.00", "s", "attempt", "2"]


def test_a_step_that_was_stopped_says_what_failed_before(tmp_path, capsys):
    """Where the run is cancelled between two attempts, the row and the line tell the error, and that it was stopped."""
    plan = Plan(job="j", steps=(Step("a", "a", "op", (), (), RUN, unit="a", retry=Retry(2)),))
    tree = ran(plan, 0, running=1)
    with Instance(tmp_path) as instance:
        lines = PlainLines(instance.record)
        lines.on_plan(plan, "aaaa1111")
    facts = StepStarted(0, 1, 100.0), StepFailed(0, 1, 100.5, ErrorInfo("ValueError", "no")), CancelRequested(101.0)
    for seq, fact in enumerate(facts, 2):
        tree.fold.add(seq, fact)
        lines.listen(seq, fact)
    assert "stopped after a failed attempt: ValueError: no" in text(tree.full(102.0))[0]
    told = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert told == [["retry", "a"], ["stopped", "a"]]
    tree.fold.add(9, RunEnded(102.0, RunStatus.CANCELED))
    assert tally(tree.fold) == "1 stopped"


def test_a_reused_or_skipped_step_says_why():
    """Reused: from which run; skipped: which output did not come."""
    plan = plan_of(g=3)
    tree = ran(plan, 0)
    tree.fold.add(1, StepReused(0, 100.0, (Kept("abcdefgh-1", 3, Stored("result", Place.INLINE)),)))
    tree.fold.add(2, StepSkipped(1, 100.0, 0, "second"))
    tree.fold.add(3, StepSkipped(2, 100.0, 1, blocked=True))
    rows = text(tree.full(101.0))
    assert "reused from run abcdefgh" in rows[1]
    assert "output `second` of op_0 did not come" in rows[2]
    assert "needs op_1" in rows[3]


def test_a_fan_out_of_which_nothing_has_started_has_no_time():
    """Values have come and nothing has begun for them: it waits; one is reused and none has begun: it goes, untimed."""

    @op(out=DynamicOut())
    def numbers():
        yield DynamicOutput(1, mapping_key="1")

    @op
    def double(x):
        return 2 * x

    @graph_asset
    def doubled():
        return numbers().map(double).collect()

    tree = RunTree(Fold(plan(Definitions(assets=[doubled]), instance=Instance.ephemeral())))
    for fact in (RunStarted(100.0, 1), StepStarted(0, 1, 100.0)):
        tree.fold.add(1, fact)
    for key in "ab":
        tree.fold.add(2, OutputStored(0, 1, 101.0, Stored("result", Place.INLINE, 5, mapping_key=key)))
    made = len(tree.plan.steps)
    assert text(tree.full(103.0))[2].split() == ["·", "double[…]", "2", "steps"]
    tree.fold.add(3, StepReused(made, 102.0, ()))
    assert text(tree.full(103.0))[2].split()[1:] == ["double[…]", "━━━━━━━━────────", "1", "of", "2"]
    tree.fold.add(4, StepStarted(made + 1, 1, 102.0))
    assert text(tree.full(103.0))[2].split()[1:4] == ["double[…]", "1.00", "s"]
