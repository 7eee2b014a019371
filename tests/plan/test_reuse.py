"""Which steps run again and why, from plans and logs alone."""

import pytest

from opgraph.events import (
    ErrorInfo,
    Found,
    Kept,
    OutputStored,
    Place,
    StepFailed,
    StepInterrupted,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    Stored,
    ValueLost,
)
from opgraph.plan.mistakes import UnknownStep
from opgraph.plan.model import Decision, Do, FromMany, FromStep, Plan, Role, Step, StepInput, StepOutput
from opgraph.plan.past import fold
from opgraph.plan.reuse import from_failure, from_steps, only_steps, steps_named

BROKEN = ErrorInfo("ValueError", "broken")


def plan_of(**needs):
    """A plan in which each step takes the `result`s of the steps named; a leading `-` means for order only."""
    keys = list(needs)
    steps = []
    for key, names in needs.items():
        inputs = tuple(
            StepInput(name, FromStep(keys.index(name), "result")) for name in names.split() if not name.startswith("-")
        )
        after = tuple(FromStep(keys.index(name[1:]), "result") for name in names.split() if name.startswith("-"))
        output = StepOutput("result", Role.NEEDED)
        steps.append(Step(key, key, key, inputs, (output,), Decision(Do.RUN, "job"), after=after, code=key))
    return Plan(job="job", steps=tuple(steps))


DIAMOND = plan_of(a="", b="a", c="a", d="b c", e="-c")


def stored(output="result", **fields):
    return Stored(output, Place.INLINE, **fields)


def log(*facts):
    return list(enumerate(facts, 1))


def done(step, *outputs):
    return [StepStarted(step, 1, 0.0), StepSucceeded(step, 1, 0.0, outputs=outputs or (stored(),))]


def failed(step):
    return [StepStarted(step, 1, 0.0), StepFailed(step, 1, 0.0, BROKEN)]


def past_of(*facts, plan=DIAMOND):
    return fold("r1", plan, log(*facts))


def decided(plan):
    return {step.key: (step.decision.do.value, step.decision.why) for step in plan.steps}


def fine(kept):
    return ""


def gone(*steps):
    """Values of these steps cannot be had; a value's size says whose it is."""
    return lambda kept: "lost" if kept.stored.size in steps else ""


D_FAILED = [*done(0), *done(1), *done(2), *failed(3), *done(4)]


def test_from_failure():
    """What succeeded is reused; what failed runs, and what comes after it."""
    made = from_failure(DIAMOND, past_of(*done(0), *failed(1), *done(2), StepSkipped(3, 0.0, 1, blocked=True)), fine)
    assert decided(made) == {
        "a": ("reuse", "recorded"),
        "b": ("run", "failed"),
        "c": ("reuse", "recorded"),
        "d": ("run", "downstream"),
        "e": ("run", "not reached"),
    }
    assert made.parent == "r1"
    assert made.steps[0].decision.kept == (Kept("r1", 2, stored()),)


@pytest.mark.parametrize(
    ("asked", "runs"),
    [(["b"], "bd"), (["c"], "cde"), (["a"], "abcde"), (["e", "b"], "bde"), (["+d"], "bcde"), (["*d"], "abcde")],
)
def test_from_steps(asked, runs):
    """The named steps run, and all that comes after them, for a value or for order."""
    made = from_steps(DIAMOND, past_of(*D_FAILED[:6], *done(3), *done(4)), fine, asked)
    assert "".join(step.key for step in made.steps if step.decision.do is Do.RUN) == runs


@pytest.mark.parametrize(("asked", "left_out"), [(["b"], "d"), (["c"], "de"), (["d"], ""), (["a"], "bcde")])
def test_only_steps(asked, left_out):
    """The named steps run; what comes after them is neither run nor reused, because its values would be stale."""
    made = only_steps(DIAMOND, past_of(*D_FAILED[:6], *done(3), *done(4)), fine, asked)
    assert [step.key for step in made.steps if step.decision.do is Do.RUN] == asked
    assert "".join(step.key for step in made.steps if step.decision.do is Do.SKIP) == left_out


def test_only_steps_whose_inputs_were_never_made():
    """What an only step needs and no run has stored runs too, transitively, for the reason that it is needed."""
    made = only_steps(DIAMOND, past_of(), fine, ["b"])
    assert decided(made)["a"] == ("run", "needed by")
    assert made.steps[0].decision.detail == "b"


def test_lost_values_are_made_again():
    """A value that cannot be had is made again only where a step that runs loads it; so is what it was made from."""
    sized = [*done(0, stored(size=1)), *done(1, stored(size=2)), *done(2, stored(size=3)), *failed(3)]
    assert decided(from_failure(DIAMOND, past_of(*sized), gone(2)))["b"] == ("run", "lost")
    assert decided(from_failure(DIAMOND, past_of(*sized), gone(2)))["a"] == ("reuse", "recorded")
    assert decided(from_failure(DIAMOND, past_of(*sized), gone(1)))["a"] == ("reuse", "recorded"), "nobody loads it"
    both = from_failure(DIAMOND, past_of(*sized), gone(1, 2))
    assert decided(both) | {"e": ...} == {
        "a": ("run", "lost"),
        "b": ("run", "lost"),
        "c": ("reuse", "recorded"),
        "d": ("run", "failed"),
        "e": ...,
    }
    assert both.steps[1].decision.reason == "a stored output of it is gone: output `result`, needed by d"


def test_order_alone_loads_nothing():
    """A lost value that a step needs for order only is not made again."""
    facts = [*done(0), *done(1), *done(2, stored(size=3)), *done(3), *failed(4)]
    assert decided(from_failure(DIAMOND, past_of(*facts), gone(3)))["c"] == ("reuse", "recorded")


def test_an_output_that_was_not_asked_for_is_not_there():
    """A step that succeeded without a required output that is wanted now runs; without an optional one it is reused."""
    step = DIAMOND.steps[0]
    for required, do in ((True, Do.RUN), (False, Do.REUSE)):
        outputs = (StepOutput("result", Role.NEEDED), StepOutput("other", Role.NEEDED, required=required))
        wider = Plan("job", (Step("a", "a", "a", (), outputs, step.decision, code="a"),))
        assert from_failure(wider, past_of(*done(0), plan=wider), fine).steps[0].decision.do is do


def test_skipped_steps():
    """A step that was skipped for an output that did not come stays so; a blocked one runs."""
    facts = [*done(0), StepSkipped(1, 0.0, 0, "result"), StepSkipped(2, 0.0, 0, blocked=True)]
    made = decided(from_failure(DIAMOND, past_of(*facts), fine))
    assert (made["b"], made["c"]) == (("skip", "skipped"), ("run", "not reached"))


def test_interrupted_steps():
    """A step that was stopped while it ran was interrupted; one that never began was not reached."""
    facts = [*done(0), StepStarted(1, 1, 0.0), StepStarted(2, 1, 0.0), StepInterrupted(2, 1, 0.0, "cancelled")]
    facts += [StepInterrupted(4, 1, 0.0, "cancelled")]
    alone = Plan("job", tuple(_with(s, inputs=(), after=()) for s in DIAMOND.steps))
    made = decided(from_failure(alone, past_of(*facts, plan=alone), fine))
    assert [made[key] for key in "bcde"] == [
        ("run", "interrupted"), ("run", "interrupted"), ("run", "not reached"), ("run", "not reached"),
    ]  # fmt: skip


def test_changes():
    """Steps added, removed, renamed in place, rewired, and reused though edited, are told apart."""
    facts = [*done(0), *done(1), *done(2), *done(3), *done(4)]
    today = plan_of(a="", b="a", x="a", d="b", e="-b")
    made = from_failure(today, past_of(*facts), fine)
    assert made.changes == {"added": ("x",), "removed": ("c",)}
    assert decided(made)["d"] == ("run", "rewired")
    assert decided(made)["e"][0] == "reuse", "order is not what a value is made from"

    edited = Plan("job", tuple(_with(s, code=s.code + "!") if s.key == "b" else s for s in DIAMOND.steps))
    assert from_failure(edited, past_of(*facts), fine).changes == {"edited": ("b",)}

    renamed = Plan("job", tuple(_with(s, key="bee", node="bee") if s.key == "b" else s for s in DIAMOND.steps))
    made = from_failure(renamed, past_of(*facts), fine)
    assert made.changes == {"renamed": ("b → bee",)}
    assert decided(made)["bee"] == ("run", "new")


def _with(step, **fields):
    every = {name: getattr(step, name) for name in step.__struct_fields__}
    return Step(**{**every, **fields})


def test_a_list_is_wired_by_its_items():
    """A list of outputs with an item more is another input."""

    def joined(*steps):
        many = StepInput("all", FromMany(tuple(FromStep(i, "result") for i in steps)))
        last = Step("d", "d", "d", (many,), (StepOutput("result", Role.NEEDED),), Decision(Do.RUN, "job"), code="d")
        return Plan("job", (*DIAMOND.steps[:3], last))

    facts = [*done(0), *done(1), *done(2), *done(3)]
    past = past_of(*facts, plan=joined(0, 1))
    assert decided(from_failure(joined(0, 1), past, fine))["d"] == ("reuse", "recorded")
    assert decided(from_failure(joined(0, 1, 2), past, fine))["d"] == ("run", "rewired")


def test_unknown_steps():
    """All unknown names are told at once, with those that are near."""
    with pytest.raises(UnknownStep) as caught:
        steps_named(plan_of(clean="", count="clean"), ["clean", "cout", "zz+"])
    assert (caught.value.names, caught.value.step_keys) == (("cout", "zz"), ("cout", "zz"))
    assert "Did you mean `count`?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("c", "c"),
        ("c+", "cde"),
        ("+d", "bcd"),
        ("++d", "abcd"),
        ("*d", "abcd"),
        ("a+", "abc"),
        ("a*", "abcde"),
        ("+c+", "acde"),
    ],
)
def test_selections(text, steps):
    """`+` counts levels before or after a step, `*` means all."""
    assert "".join(DIAMOND.steps[i].key for i in sorted(steps_named(DIAMOND, [text]))) == steps


# -- the fold -------------------------------------------------------------------------------------


def test_the_last_attempt_counts():
    """What an attempt that failed had announced does not count; the next one's outputs do."""
    early = OutputStored(0, 1, 0.0, stored("early"))
    facts = [StepStarted(0, 1, 0.0), early, StepFailed(0, 1, 0.0, BROKEN)]
    past = past_of(*facts, StepStarted(0, 2, 0.0), StepSucceeded(0, 2, 0.0, outputs=(stored(size=9),)))
    assert past.steps["a"].ending == "succeeded"
    assert past.steps["a"].kept == {"result": Kept("r1", 5, stored(size=9))}


@pytest.mark.parametrize("end", [[], [StepInterrupted(0, 2, 0.0)]])
def test_a_value_being_made_again_does_not_forget_the_others(end):
    """A step that makes one lost output again, and is cut off, still has its others; the lost one keeps its address, so
    that whoever loads it finds out anew."""
    facts = [*done(0, stored("x"), stored("y")), ValueLost(0, "y", 0.0), StepStarted(0, 2, 0.0), *end]
    step = past_of(*facts).steps["a"]
    assert (step.ending, set(step.kept)) == ("succeeded", {"x", "y"})


@pytest.mark.parametrize("kind", [StepReused, Found])
def test_reused_values_keep_their_address(kind):
    """What a run reused is reused by the next one from where it was first stored."""
    kept = (Kept("r0", 7, stored()),)
    made = from_failure(DIAMOND, past_of(kind(0, 0.0, kept)), fine)
    assert made.steps[0].decision.kept == kept
