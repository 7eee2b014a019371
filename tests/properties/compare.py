"""The differences between what a run did and what the reference model says it must do, as sentences."""

from __future__ import annotations

from program_tree import GraphAsset, Key, Program, Request
from reference_model import Foreseen, Outcome, flatten


def differences(
    program: Program, request: Request, plan: Foreseen, seen: Outcome, told: Outcome, loaded: set[Key]
) -> list[str]:
    """Each way in which `seen` is not as `told`; empty where all is well."""
    steps = flatten(program)
    found: list[str] = []

    def same(what: str, was: object, expected: object) -> None:
        if was != expected:
            found.append(f"{what}: was {was}, expected {expected}")

    same("succeeded", sorted(seen.succeeded), sorted(told.succeeded))
    same("failed", sorted(seen.failed), sorted(told.failed))
    # where one upstream failed and another gave nothing, either word will do
    same("skipped", sorted(seen.skipped - told.blocked), sorted(told.skipped))
    calls = {call.step: call for call in seen.called}
    expected = {call.step: call for call in told.called}
    same("called", sorted(call.step for call in seen.called), sorted(expected))
    for step in sorted(calls.keys() & expected.keys()):
        was, must = calls[step], expected[step]
        same(f"arguments of {step}", was.arguments, must.arguments)
        if isinstance(program.assets[steps[step].owner], GraphAsset):  # plain assets have it elsewhere
            same(f"selected_output_names of {step}", sorted(was.selected_names), sorted(must.selected_names))
            same(f"is_subset of {step}", was.is_subset, must.is_subset)
    same("materialized, selected", seen.asked, told.asked)
    same("materialized besides", seen.besides, told.besides)
    same("intermediates stored", seen.kept, told.kept)
    strangers = loaded - request.selection
    must_load = {key for step, key in told.loaded}
    may_load = must_load.union(*(plan.loads[step] for step in told.failed))
    if not must_load <= strangers <= may_load:
        found.append(f"loaded from before: was {sorted(strangers)}, expected {sorted(must_load)}")
    unknown = {call.step for call in seen.called} - steps.keys()
    same("steps of no program", sorted(unknown), [])
    return found
