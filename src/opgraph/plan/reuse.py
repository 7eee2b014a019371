"""Which steps of a plan need not run, because an earlier run did them: re-execution as one decision for each step.

"From failure", "from this op on" and "these ops only" differ in which steps they want to run; everything else follows:
what comes after a step that runs, runs; what a running step needs is reused where its stored value can be had, and run
again where it cannot.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from opgraph.events import Kept
from opgraph.keys import near_misses
from opgraph.plan.mistakes import UnknownStep
from opgraph.plan.model import (
    Decision,
    Do,
    FromAsset,
    FromCollected,
    FromMany,
    FromMapped,
    FromStep,
    InputSource,
    Plan,
    Role,
    Step,
    outputs_in,
)
from opgraph.plan.past import Past, PastStep

Trouble = Callable[[Kept], str]  # "" where the value can be loaded, else a word of `WHY`: lost, cleaned, not versioned


def from_failure(plan: Plan, past: Past, trouble: Trouble) -> Plan:
    """The plan with every step reused that succeeded in the earlier run."""
    return _counted(_replan(plan, past, trouble, {}, only=False), past, trouble)


def from_steps(plan: Plan, past: Past, trouble: Trouble, selection: Sequence[str]) -> Plan:
    """The plan with these steps and everything after them run, the rest reused."""
    asked = _asked(plan, past, selection)
    for i, names in [(i, decision.detail.split(", ")) for i, decision in asked.items() if decision.by_key]:
        step = plan.steps[i]
        for after in _walk(plan, {i}, "*", up=False) - asked.keys():
            key, over = plan.steps[after].key, plan.steps[after].over
            # Of what is mapped over the same too, that of the same keys: at the levels that both have.
            levels = [a == b for a, b in zip(step.over, over, strict=False)]
            common = levels.index(False) if False in levels else len(levels)
            keys = [name.removeprefix(step.key).split("]")[:common] for name in names]
            within = tuple("".join(f"{each}]" for each in found) for found in keys)
            found = [n for n in past.steps if common and n.startswith(f"{key}[") and n[len(key) :].startswith(within)]
            if found:
                asked[after] = msgspec.structs.replace(_by_key(past), detail=", ".join(found))
    made = _counted(_replan(plan, past, trouble, asked, only=False), past, trouble)
    return msgspec.structs.replace(made, asked=tuple(f"{name}*" for name in selection))


def only_steps(plan: Plan, past: Past, trouble: Trouble, selection: Sequence[str]) -> Plan:
    """The plan with just these steps run; what they need is reused, what comes after them is left out."""
    asked = _asked(plan, past, selection)
    made = _replan(plan, past, trouble, asked, only=True)
    steps = list(made.steps)
    for source, keys in _only_of(plan, asked).items():  # of the values of a fan-out only these are taken
        step = steps[source.step]
        kept = [k for k in step.decision.kept if k.stored.output != source.output or k.stored.mapping_key in keys]
        decision = msgspec.structs.replace(step.decision, kept=tuple(kept))
        steps[source.step] = msgspec.structs.replace(step, decision=decision)
    return _counted(msgspec.structs.replace(made, steps=tuple(steps), asked=tuple(selection)), past, trouble)


def _asked(plan: Plan, past: Past, selection: Sequence[str]) -> dict[int, Decision]:
    """The decisions for steps that were asked for by name. Of a mapped one, `op[key]` names the steps of one key, those
    of the others are reused where they can be, and `op[?]` all.

    Raises:
        UnknownStep: a step that the plan does not have, or a key that the earlier run did not have.
    """
    names = [text.replace("[?]", "") for text in selection]
    found = {i: Decision(Do.RUN, "asked") for i in steps_named(plan, [n for n in names if "[" not in n])}
    by_key = {step.key: i for i, step in enumerate(plan.steps) if step.over}
    keyed: dict[int, list[str]] = {}
    for text in (n for n in names if "[" in n):
        name = text.strip("+*")
        number = by_key.get(name.partition("[")[0])
        if number is None or name not in past.steps:
            raise UnknownStep([name], list(past.steps), near_misses(name, past.steps))
        keyed.setdefault(number, []).append(name)
        base = plan.steps[number]
        for i in steps_named(plan, [text.replace(name, base.key)]) - {number} if text != name else ():
            if plan.steps[i].over == base.over:  # what comes before or after it is that of the same key
                keyed.setdefault(i, []).append(plan.steps[i].key + name.removeprefix(base.key))
            else:
                found[i] = Decision(Do.RUN, "asked")
    for number, wanted in keyed.items():
        found.setdefault(number, msgspec.structs.replace(_by_key(past), detail=", ".join(wanted)))
    return found


def _only_of(plan: Plan, asked: Mapping[int, Decision]) -> dict[FromMapped, set[str]]:
    """Of which fan-outs only some keys are taken, where no step was asked for that is mapped over all of them."""
    found: dict[FromMapped, set[str]] = {}
    whole: set[FromMapped] = set()
    for i, decision in asked.items():
        for source in plan.steps[i].over[:1]:
            if decision.do is Do.RUN or source.step in asked:
                whole.add(source)
            names = decision.detail.split(", ") if decision.detail else []
            found.setdefault(source, set()).update(name.split("[")[1].removesuffix("]") for name in names)
    return {source: keys for source, keys in found.items() if source not in whole}


def upstream(step: Step) -> list[FromStep]:
    """The step outputs that a step depends on, for their values or for order."""
    return [*step.after, *[output for each in step.inputs for output in outputs_in(each.source)]]


def _loads(step: Step) -> list[FromStep]:
    """The step outputs whose values a step loads."""
    return [output for each in step.inputs if not each.nothing for output in outputs_in(each.source)]


def _replan(plan: Plan, past: Past, trouble: Trouble, asked: dict[int, Decision], *, only: bool) -> Plan:
    decisions: list[Decision] = []
    then = {step.key: step for step in past.plan.steps}
    # The numbers that mean another step than in the earlier plan: mostly few.
    moved = {i for i, pair in enumerate(zip(plan.steps, past.plan.steps, strict=False)) if pair[0].key != pair[1].key}
    unsettled = _unsettled(past)
    fanned = {key.partition("[")[0] for key in past.steps if "[" in key}  # the templates of which there were steps
    changing: list[bool] = []  # by step: whether it, or one that is made of it, may run
    for i, step in enumerate(plan.steps):
        before, old = past.steps.get(step.key), then.get(step.key)
        same = old is None or (old.inputs == step.inputs and moved.isdisjoint([s.step for s in upstream(step)]))
        rewired = not same and _wiring(plan, step) != _wiring(past.plan, then[step.key])
        if i in asked:
            decisions.append(asked[i])
        elif only:
            kept = _by_key(past) if step.over and step.key in then else _reused(step, before)
            decisions.append(kept or Decision(Do.SKIP, "not asked"))
        elif rewired:
            decisions.append(Decision(Do.RUN, "rewired"))
        elif step.key in then and step.config != then[step.key].config:
            decisions.append(Decision(Do.RUN, "config changed"))
        elif step.over:
            decisions.append(_decide_mapped(step, past, decisions))
        else:
            decisions.append(_decide(step, before, changing))
        changing.append(_may_change(step, decisions[i], changing, unsettled))
        if decisions[i].by_key and not changing[i]:
            why = "recorded" if step.key in fanned else "no values"
            decisions[i] = msgspec.structs.replace(decisions[i], why=why)
    if only:
        _leave_out_what_follows(plan.steps, decisions, asked.keys())
    run_what_is_lost(plan.steps, decisions, trouble)
    steps = tuple(msgspec.structs.replace(s, decision=d) for s, d in zip(plan.steps, decisions, strict=True))
    return msgspec.structs.replace(plan, steps=steps, parent=past.run_id, changes=_changes(plan, past, decisions))


def _by_key(past: Past) -> Decision:
    """For each mapped step apart: it is reused if it succeeded and the values that it takes are still the same."""
    return Decision(Do.DECIDE, "by key", fingerprint=f"run {past.run_id}")


def _counted(plan: Plan, past: Past, trouble: Trouble) -> Plan:
    """The plan with what becomes of the mapped steps that the earlier run had, where that is decided for each apart:
    those that were asked for run, what succeeded is reused, what had nothing to do is skipped, the others run. Where a
    generator above runs again, what succeeded is still to be decided."""
    members: dict[str, list[tuple[str, PastStep]]] = {}
    for key, each in past.steps.items():
        if "[" in key:
            members.setdefault(key.partition("[")[0], []).append((key, each))
    steps = list(plan.steps)
    anew: set[int] = set()  # steps that run, or are mapped over what does
    for i, step in enumerate(steps):
        found = members.get(step.key, []) if step.decision.by_key else []
        again = bool(step.over) and any(source.step in anew for source in upstream(step))
        if again or (not found and step.decision.outlook in (Do.RUN, Do.DECIDE)):
            anew.add(i)
        if not found:
            continue
        counts = {Do.RUN.value: 0}
        asked = set(step.decision.detail.split(", "))
        outermost = steps[step.over[0].step].decision
        taken = {kept.stored.mapping_key for kept in outermost.kept} if outermost.do is Do.REUSE else None
        for key, each in found:
            if taken is not None and key.split("[")[1].removesuffix("]") not in taken:
                continue
            do = Do.SKIP if each.ending == "skipped" else Do.RUN
            if key not in asked and (kept := kept_for(step, each)) is not None:
                lost = step.decision.why == "by key" and any(trouble(one) for one in kept)
                do = Do.RUN if lost else Do.DECIDE if again else Do.REUSE
            counts[do.value] = counts.get(do.value, 0) + 1
        steps[i] = msgspec.structs.replace(
            step, decision=msgspec.structs.replace(step.decision, counts=tuple(counts.items()))
        )
    return msgspec.structs.replace(plan, steps=tuple(steps))


def _unsettled(past: Past) -> set[str]:
    """The templates of which a step neither succeeded nor had nothing to do."""
    settled = ("succeeded", "skipped")
    return {key.partition("[")[0] for key, each in past.steps.items() if "[" in key and each.ending not in settled}


def _decide_mapped(step: Step, past: Past, decisions: list[Decision]) -> Decision:
    generators = {each.step for each in step.over}
    for source in upstream(step):
        decision = decisions[source.step]
        if decision.do is Do.RUN and source.step not in generators:
            return Decision(Do.RUN, "downstream")
    if all(then.key != step.key for then in past.plan.steps):
        return Decision(Do.RUN, "new")
    return _by_key(past)


def _may_change(step: Step, decision: Decision, changing: Sequence[bool], unsettled: AbstractSet[str]) -> bool:
    """Whether a step runs, or one that is made of it."""
    if decision.do is not Do.DECIDE:
        return decision.do is Do.RUN
    if decision.detail or step.key in unsettled:
        return True
    return any(changing[each.step] for each in (*step.over, *upstream(step)))


def _decide(step: Step, before: PastStep | None, changing: Sequence[bool]) -> Decision:
    sources = upstream(step)
    if any(changing[source.step] for source in sources):
        return Decision(Do.RUN, "downstream")
    if before is None:
        return Decision(Do.RUN, "new")
    reused = _reused(step, before)
    if reused is not None:
        return reused
    if before.ending == "skipped" and sources:
        return Decision(Do.SKIP, "skipped")
    return Decision(Do.RUN, before.ending if before.ending in ("failed", "interrupted") else "not reached")


def _reused(step: Step, before: PastStep | None) -> Decision | None:
    """The decision to reuse what an earlier run stored, if it did."""
    kept = kept_for(step, before) if before is not None else None
    return Decision(Do.REUSE, "recorded", kept=kept) if kept is not None else None


def kept_for(step: Step, before: PastStep) -> tuple[Kept, ...] | None:
    """What an earlier run stored for a step, if that stands for all of it. An output that is wanted now and was not
    asked for then was never stored, which is not the same as one that did not come."""
    if before.ending != "succeeded":
        return None
    wanted = [o for o in step.outputs if o.role in (Role.SELECTED, Role.NEEDED)]
    if any(o.required and not o.dynamic and o.name not in before.kept for o in wanted):
        return None
    found: list[Kept] = []
    for output in wanted:
        if output.dynamic:
            found += [kept for kept in before.kept.values() if kept.stored.output == output.name]
        elif output.name in before.kept:
            found.append(before.kept[output.name])
    return tuple(found)


def _leave_out_what_follows(steps: Sequence[Step], decisions: list[Decision], asked: AbstractSet[int]) -> None:
    """What comes after a step that was asked for is neither run nor reused: its stored values would be stale."""
    stale = set(asked)
    for i, step in enumerate(steps):
        if i not in asked and any(s.step in stale for s in upstream(step)):
            stale.add(i)
            decisions[i] = Decision(Do.SKIP, "not asked")


def run_what_is_lost(steps: Sequence[Step], decisions: list[Decision], trouble: Trouble) -> None:
    """Steps whose values a running step needs and that cannot be had are run again, and so on upstream. What else came
    after them keeps its values: the same code on the same inputs is what made them."""
    for i in range(len(steps) - 1, -1, -1):
        if decisions[i].do not in (Do.RUN, Do.DECIDE) or decisions[i].why in ("recorded", "no values"):
            continue
        for source in (*_loads(steps[i]), *(FromStep(each.step, each.output) for each in steps[i].over)):
            decision = decisions[source.step]
            if decision.by_key:  # what it stored, if anything, is looked for now: it may have to run
                why = "by key" if decision.why == "recorded" else decision.why
                decisions[source.step] = msgspec.structs.replace(decision, why=why)
            elif decision.do is not Do.REUSE:
                if decision.do is Do.SKIP and decision.why == "not asked":
                    decisions[source.step] = Decision(Do.RUN, "needed by", steps[i].key)
                continue
            kept = [k for k in decision.kept if k.stored.output == source.output]
            why = next((why for each in kept if (why := trouble(each))), "")
            if why:
                decisions[source.step] = Decision(Do.RUN, why, f"output `{source.output}`, needed by {steps[i].key}")


def _wiring(plan: Plan, step: Step) -> list[object]:
    """Where a step's inputs come from, by keys: the same in two plans if it would be given the same."""

    def of(source: InputSource) -> object:
        if isinstance(source, (FromStep, FromCollected, FromMapped)):
            return type(source).__name__, plan.steps[source.step].key, source.output
        if isinstance(source, FromMany):
            return [of(item) for item in source.items]
        return source.asset if isinstance(source, FromAsset) else source

    return [(each.name, of(each.source)) for each in step.inputs]


def _changes(plan: Plan, past: Past, decisions: Sequence[Decision]) -> dict[str, tuple[str, ...]]:
    """How today's steps differ from those of the earlier run, in names."""
    now, then = {s.key: s for s in plan.steps}, {s.key: s for s in past.plan.steps}
    added = [key for key in now if key not in then]
    removed = [key for key in then if key not in now]
    alike: dict[tuple[str, str], list[str]] = {}  # new steps of one op in one graph
    for new in added:
        alike.setdefault((now[new].op, _parent(new)), []).append(new)
    names: dict[str, str] = {}  # old -> new: the same op in the same graph under another alias
    for old in removed:
        same = alike.get((then[old].op, _parent(old)), [])
        if len(same) == 1:
            names[old] = same.pop()
    renamed = [f"{old} → {new}" for old, new in names.items()]
    removed = [old for old in removed if old not in names]
    taken = set(names.values())
    added = [new for new in added if new not in taken]
    edited = [
        step.key
        for step, decision in zip(plan.steps, decisions, strict=True)
        if decision.do is Do.REUSE and step.key in then and step.code != then[step.key].code
    ]
    found = {"added": added, "removed": removed, "renamed": renamed, "edited": edited}
    return {kind: tuple(keys) for kind, keys in found.items() if keys}


def _parent(key: str) -> str:
    return key.rpartition(".")[0]


def steps_named(plan: Plan, selection: Sequence[str]) -> set[int]:
    """The steps of a selection: `step`, `step+` or `step*` (and what follows), `+step` or `*step` (and what precedes);
    several `+` count the levels. A graph's path stands for all its steps.

    Raises:
        UnknownStep: a name that the plan does not have.
    """
    chosen: set[int] = set()
    unknown: list[str] = []
    for text in selection:
        name = text.strip("+*")
        if not name and "*" in text:
            return set(range(len(plan.steps)))
        start = {i for i, s in enumerate(plan.steps) if s.key == name or s.key.startswith(name + ".")}
        if not start:
            unknown.append(name)
            continue
        before, after = text[: text.index(name)], text[text.index(name) + len(name) :]
        chosen |= start | _walk(plan, start, before, up=True) | _walk(plan, start, after, up=False)
    if unknown:
        keys = [s.key for s in plan.steps]
        raise UnknownStep(unknown, keys, near_misses(unknown[0], keys))
    return chosen


def _walk(plan: Plan, start: set[int], how: str, *, up: bool) -> set[int]:
    if not how:
        return set()
    depth = len(plan.steps) if "*" in how else len(how)
    edges: dict[int, list[int]] = {}
    for i, step in enumerate(plan.steps):
        for source in upstream(step):
            a, b = (i, source.step) if up else (source.step, i)
            edges.setdefault(a, []).append(b)
    seen, front = set(start), set(start)
    for _ in range(depth):
        front = {n for i in front for n in edges.get(i, ())} - seen
        if not front:
            break
        seen |= front
    return seen
