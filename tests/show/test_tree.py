"""The tree on the screen: it fits, it shows what matters, and it is cheap to draw."""

import pytest

from opgraph.events import ErrorInfo, RunEnded, RunStarted, RunStatus, StepFailed, StepStarted, StepSucceeded
from opgraph.operate.fold import Fold
from opgraph.plan.model import Decision, Do, Plan, Role, Step, StepOutput
from opgraph.show.cli import ink
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
