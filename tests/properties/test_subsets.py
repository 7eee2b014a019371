"""Subsets, held to the reference model: random programs, random selections, two runs over one storage."""

from __future__ import annotations

import os

import adapter
import pytest
from classic import BAZ, FOO, classic
from compare import differences
from hypothesis import HealthCheck, given, settings
from program_tree import Case, Key, Program, Request
from programs import cases, seeded
from reference_model import Foreseen, Outcome, Output, externals, foresee, simulate
from smallest import smallest

import opgraph

PROGRAMS = 20_000 if os.environ.get("OPGRAPH_SOAK") else 1000
PART = 250  # programs a test: small enough for two workers to share them


def check(case: Case) -> None:
    """Plans and runs each request of the case, and holds plan, run and storage to the model and to each other."""
    session = adapter.open_session(case.program)
    session.assets.update(dict.fromkeys(externals(case.program), 5))
    for number, request in enumerate(case.requests, 1):
        found = check_run(session, case.program, request, f"run {number}")
        assert not found, f"run {number}\n" + "\n".join(found) + f"\n{case!r}"


def fails(case: Case) -> bool:
    """Whether the case's check fails, for whatever reason."""
    try:
        check(case)
    except Exception:
        return True
    return False


def check_run(session: adapter.Session, program: Program, request: Request, era: str) -> list[str]:
    before = dict(session.assets)
    foreseen = foresee(program, request, before)
    if foreseen.split:
        with pytest.raises(opgraph.InvalidSubsetError):
            adapter.plan(session, request)
        with pytest.raises(opgraph.InvalidSubsetError):
            adapter.run(session, request, era)
        return nothing_happened(session, before)
    planned = adapter.plan(session, request)
    found = plan_differences(planned, foreseen)
    if foreseen.refused(request.policy):
        with pytest.raises(opgraph.Error):
            adapter.run(session, request, era)
        return found + nothing_happened(session, before)
    seen = adapter.run(session, request, era)
    found += unlike_plan(planned, seen, adapter.given_outputs(session), program, request)
    stored = dict(before)
    try:
        told = simulate(program, request, stored, era, seen.order)
    except AssertionError as wrong_order:
        return [*found, str(wrong_order)]
    found += differences(program, request, foreseen, seen, told, session.loaded)
    if session.assets != stored:
        found.append(f"storage: was {session.assets}, expected {stored}")
    return found


def nothing_happened(session: adapter.Session, before: dict[Key, object]) -> list[str]:
    """A request that is refused calls nothing and stores nothing."""
    calls = [f"{facts[0]} was called" for facts, _ in session.built.calls]
    return calls + ([] if session.assets == before else [f"storage: was {session.assets}, expected {before}"])


def plan_differences(planned: adapter.Planned, foreseen: Foreseen) -> list[str]:
    pairs = {
        "plan runs": (planned.runs, foreseen.selected_names.keys()),
        "plan: certain": (planned.certain, foreseen.certain),
        "plan: may": (planned.may, foreseen.may),
    }
    found = [
        f"{what}: was {sorted(was)}, expected {sorted(must)}" for what, (was, must) in pairs.items() if was != must
    ]
    return found + [
        f"plan: role of {output}: was {planned.roles.get(output)}, expected {foreseen.roles.get(output)}"
        for output in sorted(planned.roles.keys() | foreseen.roles.keys())
        if planned.roles.get(output) != foreseen.roles.get(output)
    ]


def unlike_plan(
    planned: adapter.Planned, seen: Outcome, given: set[Output], program: Program, request: Request
) -> list[str]:
    """How what ran differs from the plan's own JSON: the model has no say in this."""
    found: list[str] = []
    if planned.runs != set(seen.order) | seen.skipped and not seen.failed:
        found.append(
            f"the plan runs {sorted(planned.runs)}; started were {sorted(seen.order)}, skipped {sorted(seen.skipped)}"
        )
    if extra := (set(seen.order) | seen.skipped) - planned.runs:
        found.append(f"ran unplanned: {sorted(extra)}")
    roles = {output: planned.roles.get(output) for output in given if output[0] in seen.succeeded}
    kept = {output for output, role in roles.items() if role == "needed"}
    if seen.kept.keys() != kept:
        found.append(f"intermediates: stored {sorted(seen.kept)}, by the plan {sorted(kept)}")
    for name, mine, starts in (("selected", seen.asked, "selected"), ("besides", seen.besides, "unselected")):
        count = sum(str(role).startswith(starts) for role in roles.values())
        expected = 0 if name == "besides" and request.policy != "materialize" else count
        if len(mine) != expected:
            found.append(f"{name}: materialized {sorted(mine)}, of which the plan has {expected}")
    if not seen.besides.keys() <= planned.certain | planned.may:
        found.append(f"not announced: {sorted(seen.besides.keys() - planned.certain - planned.may)}")
    for call in seen.called:
        asked = {
            name for (step, name), role in planned.roles.items() if step == call.step and role in ("selected", "needed")
        }
        if planned.roles.get((call.step, "result")) != "selected" and call.selected_names != asked:
            found.append(f"{call.step} was asked for {sorted(call.selected_names)}, by the plan for {sorted(asked)}")
    return found


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(case=cases())
def test_runs_are_as_the_model_says(case: Case) -> None:
    """What runs, is asked for, loaded, stored, dropped, skipped and announced is what the reference model says."""
    check(case)


@pytest.mark.parametrize("first", range(0, PROGRAMS, PART))
def test_plans_equal_what_then_ran(first: int) -> None:
    """On 1,000 seeded programs the plan's JSON equals what then ran."""
    for index in range(first, first + PART):
        case = seeded("subsets", index)
        if fails(case):
            check(smallest(case, fails))


@pytest.mark.parametrize("foo_gives_both", [False, True])
@pytest.mark.parametrize("policy", ["materialize", "discard", "error"])
@pytest.mark.parametrize("selection", [[FOO], [BAZ], [FOO, BAZ]])
def test_classic_example(selection: list[Key], policy: str, foo_gives_both: bool) -> None:
    """The classic example holds in each selection, under each policy, twice over one storage."""
    request = Request(frozenset(selection), policy)  # type: ignore[arg-type]
    check(Case(classic(foo_gives_both), (request, request)))
