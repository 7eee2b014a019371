"""The plan's serialized forms: bytes that a run keeps, and JSON that screens read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opgraph.events import Kept, Place, Stored
from opgraph.plan.model import (
    WHY,
    Besides,
    Decision,
    Do,
    FromAsset,
    FromCaller,
    FromCollected,
    FromDefault,
    FromMany,
    FromMapped,
    FromStep,
    Gather,
    Plan,
    Policy,
    Retry,
    Role,
    Step,
    StepInput,
    StepOutput,
    decode_plan,
    encode_plan,
)

names = st.text("abc_./é", min_size=1, max_size=6)
numbers = st.integers(0, 2**31)
from_steps = st.builds(FromStep, numbers, names)
from_assets = st.builds(FromAsset, names, st.booleans(), st.booleans())
sources = st.one_of(
    from_steps,
    from_assets,
    st.builds(FromCaller, names),
    st.just(FromDefault()),
    st.builds(FromMany, st.lists(st.one_of(from_steps, from_assets, st.just(FromDefault()))).map(tuple)),
    st.builds(
        FromCollected,
        numbers,
        names,
        st.lists(st.builds(Gather, st.booleans(), st.booleans()), min_size=1).map(tuple),
    ),
    st.builds(FromMapped, numbers, names),
)
kept = st.builds(
    Kept,
    names,
    numbers,
    st.builds(
        Stored, output=names, place=st.sampled_from(Place), location=names, size=numbers, asset=st.none() | names
    ),
)
steps = st.builds(
    Step,
    key=names,
    node=names,
    op=names,
    inputs=st.lists(st.builds(StepInput, names, sources, st.just("") | names, st.booleans()), max_size=3).map(tuple),
    outputs=st.lists(
        st.builds(StepOutput, names, st.sampled_from(Role), st.booleans(), st.none() | names), max_size=3
    ).map(tuple),
    decision=st.builds(
        Decision, st.sampled_from(Do), st.sampled_from(sorted(WHY)), names, st.lists(kept, max_size=2).map(tuple), names
    ),
    after=st.lists(from_steps, max_size=2).map(tuple),
    unit=names,
    subset=st.booleans(),
    code=names,
    retry=st.none() | st.builds(Retry, numbers, st.floats(0, 100)),
    tags=st.dictionaries(names, names, max_size=2),
)
besides = st.builds(Besides, names, names, names, st.booleans(), st.sampled_from(Policy), names)
plans = st.builds(
    Plan,
    job=names,
    steps=st.lists(steps, max_size=4).map(tuple),
    selection=st.lists(names, max_size=3).map(tuple),
    besides=st.lists(besides, max_size=2).map(tuple),
    missing=st.lists(names, max_size=2).map(tuple),
    parent=st.none() | names,
    changes=st.dictionaries(names, st.lists(names, max_size=2).map(tuple), max_size=2),
    code=names,
    tags=st.dictionaries(names, names, max_size=2),
)


@given(plans)
def test_bytes_and_back(plan):
    """Decoding what was encoded gives an equal plan, whatever is in it."""
    assert decode_plan(encode_plan(plan)) == plan


def plan_of_two():
    stored = Stored(output="result", place=Place.INLINE, size=3)
    first = Step(
        "a", "a", "make", (), (StepOutput("result", Role.SELECTED, asset="a"),),
        Decision(Do.REUSE, "recorded", kept=(Kept("run1", 4, stored),)), unit="a",
    )  # fmt: skip
    second = Step(
        "g.b", "g.b", "use",
        (
            StepInput("x", FromStep(0, "result")),
            StepInput("many", FromMany((FromStep(0, "result"), FromAsset("s", recorded=False, sibling=True)))),
            StepInput("y", FromDefault()),
            StepInput("z", FromCaller("given")),
            StepInput("c", FromCollected(0, "result")),
            StepInput("m", FromMapped(0, "result")),
        ),
        (StepOutput("p", Role.NEEDED, required=False), StepOutput("q", Role.UNSELECTED_REQUIRED, asset="q")),
        Decision(Do.RUN, "needed", "b"), after=(FromStep(0, "result"), FromStep(0, "other")), unit="g",
    )  # fmt: skip
    extra = Besides("q", "g.b", "q", certain=True, policy=Policy.MATERIALIZE, remedy="do this")
    return Plan("j", (first, second), ("a",), (extra,), ("s",), changes={"added": ("g.b",)})


def test_json():
    """The JSON names steps by key, has what comes besides in two lists, and says every reason in words."""
    data = plan_of_two().to_json()
    assert json.loads(json.dumps(data)) == data
    assert data.keys() >= {"job", "selection", "steps", "besides", "missing", "parent", "changes", "executor"}
    assert data["besides"] == {
        "certain": [
            {"asset": "q", "step": "g.b", "output": "q", "certain": True, "policy": "materialize", "remedy": "do this"}
        ],
        "may": [],
    }
    assert data["changes"] == {"added": ["g.b"]}
    first, second = data["steps"]
    assert (first["decision"], first["reason"]) == ("reuse", "the parent run stored its outputs")
    assert first["kept"] == [{"run": "run1", "output": "result"}]
    expected = {
        "key": "g.b",
        "op": "use",
        "unit": "g",
        "decision": "run",
        "why": "needed",
        "detail": "b",
        "reason": "a selected asset needs it: b",
        "kept": [],
        "inputs": {
            "x": {"step": "a", "output": "result"},
            "many": [
                {"step": "a", "output": "result"},
                {"type": "asset", "asset": "s", "recorded": False, "sibling": True},
            ],
            "y": {"type": "default"},
            "z": {"type": "caller", "name": "given"},
            "c": {"collected": "a", "output": "result", "levels": [{"as_dict": False, "allow_failed": False}]},
            "m": {"mapped": "a", "output": "result"},
        },
        "after": ["a"],
        "over": [],
        "outputs": [
            {"name": "p", "role": "needed", "asset": None, "required": False, "io_manager": "io_manager"},
            {"name": "q", "role": "unselected_required", "asset": "q", "required": True, "io_manager": "io_manager"},
        ],
    }
    assert {name: second[name] for name in expected} == expected


def test_selected_output_names_are_those_selected_or_needed():
    """A step's selected outputs are the assets asked for and the intermediates needed."""
    outputs = tuple(StepOutput(role.value, role) for role in Role)
    step = Step("a", "a", "a", (), outputs, Decision(Do.RUN, "selected"))
    assert step.selected == ("selected", "needed")


def test_plans_do_not_change():
    """A plan and its steps are immutable; steps are found by key."""
    plan = plan_of_two()
    with pytest.raises(AttributeError):
        plan.job = "other"
    with pytest.raises(AttributeError):
        plan.steps[0].key = "other"
    assert plan.index() == {"a": 0, "g.b": 1}


def test_a_reason_without_a_word_is_said_as_it_is():
    """A reason outside the vocabulary stands for itself."""
    assert Decision(Do.SKIP, "because").reason == "because"
    assert Decision(Do.SKIP, "skipped", "x").reason == "what it takes did not come: x"
