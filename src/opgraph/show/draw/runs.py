"""Plans and runs as nodes and edges: each op with what is to become of it, or what became of it."""

from collections.abc import Container, Mapping, Sequence

from msgspec import structs

from opgraph.operate.fold import Branch, Fold, Phase, branches
from opgraph.operate.inspect import together
from opgraph.plan.model import FromAsset, FromCollected, FromMany, FromMapped, FromStep, InputSource, Plan, outputs_in
from opgraph.show.cli.ink import seconds, size
from opgraph.show.draw.model import Node, Scene
from opgraph.show.draw.opened import EVERYTHING, Arrows, Leaf, Opened, counted, fanned, group_node

_WORDS = {
    Phase.PENDING: "waiting",
    Phase.RETRYING: "to be tried again",
    Phase.SUCCEEDED: "done",
    Phase.BLOCKED: "not reached",
}
_TOLD = (Phase.FAILED, Phase.SUCCEEDED, Phase.REUSED)  # of a fan-out, where there is little room
_PHASES = {phase.name.lower(): phase for phase in Phase}


def run_scene(plan: Plan, fold: Fold | None = None, *, opened: Container[str] = EVERYTHING) -> Scene:
    """A plan, or a run of it.

    Args:
        plan: the plan.
        fold: where the steps of its run stand; None: only what is planned is shown.
        opened: the ids of assets and graphs (`unit:totals`, `graph:totals.clean`) that are shown in place.
    """
    stands = [""] * len(plan.steps)
    nodes: list[Node] = []
    members: dict[str, list[str]] = {}  # by group, "" for those without
    for unit in branches(plan):
        first, *inside = _unit(plan, fold, unit, opened, stands)
        members.setdefault(plan.groups.get(unit.assets[0], "") if unit.assets else "", []).append(first.id)
        nodes += (first, *inside)
    arrows = Arrows()
    stored: dict[str, Node] = {}
    for number, step in enumerate(plan.steps):
        for each in step.inputs:
            for source in each.source.items if isinstance(each.source, FromMany) else (each.source,):
                for output in outputs_in(source):
                    kind, what = _kind(source, nothing=each.nothing), _came(plan, fold, output)
                    arrows.add(stands[output.step], stands[number], each.name, kind, gives=output.output, what=what)
                if isinstance(source, FromAsset):
                    if source.asset not in stored:
                        node = stored[source.asset] = _stored(source)
                        members.setdefault(plan.groups.get(source.asset, ""), []).append(node.id)
                    arrows.add(stored[source.asset].id, stands[number], each.name)
        for output in step.after:
            arrows.add(stands[output.step], stands[number], "", "order")
    return Scene(_grouped((*stored.values(), *nodes), members), arrows.edges())


def _grouped(nodes: Sequence[Node], members: Mapping[str, Sequence[str]]) -> tuple[Node, ...]:
    """The nodes in the boxes of their groups, if there is more than one group."""
    named = {group: ids for group, ids in members.items() if group and len(members) > 1}
    box = {each: f"group:{group}" for group, ids in named.items() for each in ids}
    groups = [group_node(group, len(ids)) for group, ids in named.items()]
    return (*groups, *(structs.replace(node, parent=box[node.id]) if node.id in box else node for node in nodes))


def _unit(plan: Plan, fold: Fold | None, unit: Branch, opened: Container[str], stands: list[str]) -> list[Node]:
    id = f"unit:{unit.path}"  # noqa: A001 - the field's name
    kind = unit.kind if unit.kind == "asset" else "graph"
    states = [_state(plan, fold, number) for number in unit.steps]
    if unit.is_leaf:
        stands[unit.step] = id
        return [_step(plan, fold, unit.step, id, unit.name, kind)]
    box = Node(
        id=id,
        label=unit.name,
        kind=kind,
        ref=unit.path,
        badge=counted(len(unit.steps), "op"),
        title=unit.path,
        state=_together(states),
        opens=True,
    )
    if id not in opened:
        for number in unit.steps:
            stands[number] = id
        return [box]
    leaves: list[Leaf] = []
    for number in unit.steps:
        key = plan.steps[number].key
        path = tuple(key.removeprefix(f"{unit.path}.").split("."))
        leaves.append(Leaf(path, _step(plan, fold, number, f"op:{key}", path[-1], "op")))
    shown = Opened(leaves, unit.path, id, opened, _together)
    for number, place in zip(unit.steps, shown.stands, strict=True):
        stands[number] = place
    return [box, *shown.nodes]


def _step(plan: Plan, fold: Fold | None, number: int, id: str, label: str, kind: str) -> Node:  # noqa: A002 - the same
    step = plan.steps[number]
    told = [step.key, step.decision.reason]
    count = sum((fold.members(number) or {}).values()) if fold is not None else 0
    detail = step.decision.outlook.value
    if fold is not None:
        detail = _passed(fold, number)
        if number in fold.errors:
            told.append(fold.errors[number].message)
    return Node(
        id=id,
        label=label,
        kind=kind,
        ref=step.key,
        detail=detail,
        title="\n".join(told),
        badge=fanned(mapped=bool(step.over), dynamic=any(output.dynamic for output in step.outputs), count=count),
        state=_state(plan, fold, number),
        mapped=bool(step.over),
    )


def _state(plan: Plan, fold: Fold | None, number: int) -> str:
    return plan.steps[number].decision.outlook.value if fold is None else Phase(fold.phase[number]).name.lower()


def _together(states: Sequence[str]) -> str:
    """One state for several: that of a run by what is worst, that of a plan where all agree."""
    if all(state in _PHASES for state in states):
        return together(_PHASES[state] for state in states).name.lower()
    return states[0] if len(set(states)) == 1 else ""


def _passed(fold: Fold, number: int) -> str:
    """How a step stands, and how long it took."""
    phase = Phase(fold.phase[number])
    members = fold.members(number)
    if members:
        told = {each: members[each] for each in _TOLD if members.get(each)} or members
        return " \u00b7 ".join(f"{many:,} {_word(each)}" for each, many in told.items() if many)
    if members is not None and phase is Phase.SUCCEEDED:
        return "no values"
    if phase in (Phase.SUCCEEDED, Phase.FAILED):
        took = seconds(fold.ended[number] - fold.started[number])
        return took if phase is Phase.SUCCEEDED else f"failed \u00b7 {took}"
    return _word(phase)


def _word(phase: Phase) -> str:
    """As the pages say it, too."""
    return _WORDS.get(phase, phase.name.lower())


def _came(plan: Plan, fold: Fold | None, output: FromStep) -> str:
    """What came out of an output in a run: its type and size, of a fan-out how many; whether it was reused."""
    if fold is None:
        return ""
    step = output.step
    kept = [each.stored for each in fold.kept.get(step, ())]
    came = [stored for _, stored in fold.outputs.get(step, ())]
    found = [stored for stored in (came or kept) if stored.output == output.output]
    members = fold.members(step)
    fans = any(each.name == output.output and each.dynamic for each in plan.steps[step].outputs)
    each_fans = fans and members is not None
    many = fold.values[step, output.output] if each_fans else sum((members or {}).values()) or len(found)
    words: list[str] = []
    if fold.has_ended(step) and (fans or members is not None):
        words.append(f"\u00d7 {many:,}" if many else "no values")
    elif found:
        words.append(found[-1].type_name)
    weight = sum(stored.size for stored in found) or fold.sizes.get(step, 0)
    words += [size(weight)] if weight else []
    words += ["reused"] if kept and not came else []
    return " \u00b7 ".join(word for word in words if word)


def _kind(source: InputSource, *, nothing: bool) -> str:
    if isinstance(source, FromMapped):
        return "map"
    if isinstance(source, FromCollected):
        return "collect"
    return "order" if nothing else "value"


def _stored(source: FromAsset) -> Node:
    return Node(
        id=f"stored:{source.asset}",
        label=source.asset,
        kind="external",
        ref=source.asset,
        detail="stored" if source.recorded else "not stored",
        title=f"{source.asset}\n{'loaded from storage' if source.recorded else 'no materialization is recorded'}",
    )
