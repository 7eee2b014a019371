"""From a selection to a Plan: which ops run, what their outputs are to the run, where each input comes from.

Everything is wired op by op, never asset by asset, so a graph asset that is downstream of one part of another and
upstream of a second part is no circle.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import msgspec

from opgraph.declare.ops.op import OpDefinition
from opgraph.errors import InvalidDefinitionError, InvalidSubsetError, together
from opgraph.keys import AssetKey
from opgraph.plan.code import Hashes, hash_of
from opgraph.plan.fans import over, streams, taken
from opgraph.plan.limits import limits_of, pools_of
from opgraph.plan.mistakes import UnselectedAssetsRefused
from opgraph.plan.model import (
    Besides,
    Decision,
    Do,
    FromAsset,
    FromCollected,
    FromDefault,
    FromMany,
    FromMapped,
    FromStep,
    InputSource,
    Plan,
    Policy,
    Role,
    Step,
    StepInput,
    StepOutput,
    outputs_in,
    renumbered,
)
from opgraph.plan.split import between, levels
from opgraph.resolve.assets import AssetGraph, Unit
from opgraph.resolve.flatten import Constant, FlatStep, Many, Origin, OuterInput, StepOut
from opgraph.resolve.mistakes import CannotSplit, TakesItsOwn
from opgraph.resolve.subset import Part, check_subset, origin_steps, part_of

Recorded = Callable[[Sequence[str]], AbstractSet[str]]
IO_MANAGER = "io_manager"  # the default resource key


def plan_assets(
    graph: AssetGraph,
    selected: AbstractSet[AssetKey],
    *,
    job: str,
    policy: Policy = Policy.MATERIALIZE,
    recorded: Recorded = lambda _: frozenset(),
) -> Plan:
    """The plan that materializes the selected assets, every step to be run.

    Args:
        graph: all assets.
        selected: the keys asked for, all of them materializable.
        job: the name the run goes by.
        policy: what to do with assets that come though nobody asked for them.
        recorded: tells of some asset keys which have a recorded materialization.

    Raises:
        InvalidSubsetError: a definition cannot be subset that way, or `policy` is ERROR and an unselected asset is
            certain to come. Several reasons come together in one.
    """
    laid = _laid.get(graph)
    if laid is None or laid.selected != selected or not laid.codes.hold():
        laid = _laid[graph] = _lay_out(graph, selected)
    steps, wanted = laid.steps, laid.wanted
    have = recorded(sorted(wanted)) if wanted else frozenset[str]()
    missing = tuple(sorted(key for key in wanted if key not in have and graph.nodes[AssetKey(key)].unit is not None))
    if missing:
        steps = tuple([_mark_missing(step, frozenset(missing)) for step in steps])
    besides = tuple(_besides(steps, policy))
    certain = [b for b in besides if b.certain and policy is Policy.ERROR]
    if certain:
        raise UnselectedAssetsRefused(certain)
    return Plan(
        job=job,
        steps=steps,
        selection=tuple(sorted(key.text for key in selected)),
        besides=besides,
        missing=missing,
        code=laid.code,
        groups=laid.groups,
    )


@dataclass(frozen=True, slots=True)
class _Laid:
    """The steps for some assets, before anything that depends on the day is noted in them."""

    selected: AbstractSet[AssetKey]
    steps: tuple[Step, ...]
    wanted: AbstractSet[str]  # assets to be loaded
    code: str
    groups: dict[str, str]
    codes: Hashes


# What was asked of a graph last: who asks for the same again runs it again.
_laid: WeakKeyDictionary[AssetGraph, _Laid] = WeakKeyDictionary()


def _lay_out(graph: AssetGraph, selected: AbstractSet[AssetKey]) -> _Laid:
    problems: list[InvalidDefinitionError] = []
    parts: list[_Part] = []
    for unit in graph.units:
        chosen = frozenset(key for key in unit.definition.specs_by_key if key in selected)  # `&` walks all selected
        if chosen:
            problem = check_subset(unit, chosen)
            if problem is not None:
                problems.append(problem)
            parts.append(_Part(part_of(unit, chosen)))
    if problems:
        raise together(problems)
    layout = _Layout(graph, parts, selected)
    if layout.stuck:
        layout = _Layout(graph, _split(graph, layout, selected), selected)
        if layout.stuck:
            raise _in_a_circle(graph, layout, selected)
    steps = layout.steps()
    shown = {*selected, *map(AssetKey, layout.wanted)}
    groups = {key.text: group for key in sorted(shown) if (group := graph.nodes[key].group) != "default"}
    return _Laid(frozenset(selected), tuple(steps), layout.wanted, hash_of(steps), groups, layout.codes)


@dataclass(slots=True)
class _Part:
    """A part of a unit with its number among the parts of that unit; `split` has the assets that wait for others."""

    part: Part
    number: int = 1
    split: bool = False
    at: dict[int, int] = field(default_factory=dict[int, int])  # flat step -> draft

    def key(self, flat: FlatStep) -> str:
        return flat.key if self.number == 1 else f"{flat.key}_{self.number}"


def _split(graph: AssetGraph, layout: "_Layout", selected: AbstractSet[AssetKey]) -> list[_Part]:
    """The parts again, those on a circle in as many as they need."""
    result: list[_Part] = []
    for index, each in enumerate(layout.parts):
        unit = each.part.unit
        pieces = [list(each.part.selected)]
        if index in layout.stuck and isinstance(unit.definition.node_def, OpDefinition):
            pieces = levels(graph, unit, selected)
        if len(pieces) == 1:
            result.append(each)
            continue
        if not unit.definition.can_subset:
            raise CannotSplit(unit.name, pieces, between(graph, pieces, unit), unit.source)
        result += [_Part(part_of(unit, frozenset(keys)), i, split=True) for i, keys in enumerate(pieces, 1)]
    for each in result:
        each.at.clear()
    return result


def _in_a_circle(graph: AssetGraph, layout: "_Layout", selected: AbstractSet[AssetKey]) -> InvalidSubsetError:
    """Why the steps cannot be put in order, though the assets can: an op takes what is made from its own output."""
    units = [layout.parts[i].part.unit for i in sorted(layout.stuck)]
    for unit in units:
        pieces = levels(graph, unit, selected)
        if len(pieces) > 1:
            return CannotSplit(unit.name, pieces, between(graph, pieces, unit), unit.source, of_graph=True)
    made = {key for unit in units for key in unit.definition.specs_by_key}
    unit, taken = next((u, key) for u in units for key in u.key_of_input.values() if key in made and key not in u.at)
    return TakesItsOwn(unit.name, taken, where=unit.source)


class _Layout:
    """All steps of all parts, wired to one another, in an order in which they could run."""

    def __init__(self, graph: AssetGraph, parts: list[_Part], selected: AbstractSet[AssetKey]) -> None:
        self.graph, self.parts, self.selected = graph, parts, selected
        self.drafts: list[tuple[int, int]] = []  # (part, flat step)
        self.makers: dict[AssetKey, FromStep] = {}
        for p, each in enumerate(parts):
            for number in each.part.needed:
                each.at[number] = len(self.drafts)
                self.drafts.append((p, number))
            for key in each.part.selected:
                if key in each.part.unit.at:
                    step, output = each.part.unit.at[key]
                    self.makers[key] = FromStep(each.at[step], output)
        self.wanted: set[str] = set()  # assets to be loaded
        self.codes = Hashes()
        self.inputs: list[tuple[StepInput, ...]] = []
        self.after: list[tuple[FromStep, ...]] = []
        added = self._added_order()
        for d, (p, number) in enumerate(self.drafts):
            inputs, after = self._wire(parts[p], number)
            self.inputs.append(inputs)
            self.after.append(tuple(dict.fromkeys([*after, *added.get(d, ())])))
        self.order, self.stuck = self._sort()

    def _added_order(self) -> dict[int, list[FromStep]]:
        """What `deps` add: the first ops of an asset wait for the assets that it only names. An op that it shares with
        an asset that does not name them does not wait: they may be made from that one."""
        found: dict[int, list[FromStep]] = {}
        for each in self.parts:
            unit, selected = each.part.unit, each.part.selected
            waits: dict[AssetKey, set[AssetKey]] = {}  # asset -> the selected assets that it only names
            for key in selected:
                makers = {dep for dep in unit.only_named(key) if dep in self.makers}
                if each.split:
                    makers.update(p for p in unit.parents(key) if p in unit.at and p not in selected)
                if makers and key in unit.at:
                    waits[key] = makers
            if not waits:
                continue
            needed = {key: part_of(unit, {key}).needed.keys() for key in selected if key in unit.at}
            users: dict[int, list[AssetKey]] = {}  # flat step -> the assets that need it
            for key, numbers in needed.items():
                for number in numbers:
                    users.setdefault(number, []).append(key)
            for key, makers in waits.items():
                for dep in makers & self.makers.keys():
                    own = {n for n in needed[key] if all(dep in waits.get(user, ()) for user in users[n])}
                    for number in _first(unit, key, own | {unit.at[key][0]}):
                        found.setdefault(each.at[number], []).append(self.makers[dep])
        return found

    def _wire(self, each: _Part, number: int) -> tuple[tuple[StepInput, ...], list[FromStep]]:
        flat = each.part.unit.flat.steps[number]
        inputs: list[StepInput] = []
        after: list[FromStep] = []
        for name, origin in flat.inputs.items():
            spec = flat.op.ins[name]
            source = self._source(each, origin, flat.op, name)
            if spec.is_nothing:
                if isinstance(source, (FromMany, FromMapped, FromCollected)):
                    inputs.append(StepInput(name, source, nothing=True))
                elif isinstance(source, FromStep):
                    after.append(source)
                continue
            self._note_wanted(source)
            inputs.append(StepInput(name, source, spec.input_manager_key or ""))
        return tuple(inputs), after

    def _note_wanted(self, source: InputSource) -> None:
        for item in source.items if isinstance(source, FromMany) else (source,):
            if isinstance(item, FromAsset):
                self.wanted.add(item.asset)

    def _source(self, each: _Part, origin: Origin, op: OpDefinition, name: str) -> InputSource:
        if isinstance(origin, Many):
            return FromMany(tuple(self._one(each, item) for item in origin.items))
        if isinstance(origin, (StepOut, OuterInput, Constant)):
            return self._one(each, origin)
        asset_key = op.ins[name].asset_key
        if asset_key is None:
            return FromDefault()
        maker = self.makers.get(asset_key)
        return maker if maker is not None else FromAsset(asset_key.text)

    def _one(
        self, each: _Part, origin: StepOut | OuterInput | Constant
    ) -> FromStep | FromAsset | FromDefault | FromMapped | FromCollected:
        unit = each.part.unit
        if isinstance(origin, StepOut):
            key = unit.key_at.get((origin.step, origin.output))
            if key is not None and key not in each.part.selected:
                return FromAsset(key.text, sibling=True)
            if origin.mapping:
                return taken(origin, unit.flat.steps, each.at)
            return FromStep(each.at[origin.step], origin.output)
        if isinstance(origin, Constant):
            return FromDefault()
        key = unit.key_of_input.get(origin.name)
        if key is None:
            return FromDefault()
        maker = self.makers.get(key)
        if maker is None or (each.split and not any(key in unit.parents(k) for k in each.part.selected)):
            return FromAsset(key.text)
        return maker

    def _sort(self) -> tuple[list[int], set[int]]:
        """Drafts in an order in which they could run, as near to the order of the definitions as can be, and the parts
        that are on a circle."""
        upstream = [
            {s.step for s in _steps_of(self.inputs[d])} | {s.step for s in self.after[d]}
            for d in range(len(self.drafts))
        ]
        if all(d > source for d, sources in enumerate(upstream) for source in sources):
            return list(range(len(upstream))), set()  # as definitions mostly stand
        waiting = [len(u) for u in upstream]
        downstream: list[list[int]] = [[] for _ in self.drafts]
        for d, sources in enumerate(upstream):
            for source in sources:
                downstream[source].append(d)
        ready = [d for d, count in enumerate(waiting) if count == 0]
        order: list[int] = []
        while ready:
            d = heapq.heappop(ready)
            order.append(d)
            for later in downstream[d]:
                waiting[later] -= 1
                if waiting[later] == 0:
                    heapq.heappush(ready, later)
        if len(order) == len(self.drafts):
            return order, set()
        stuck = {d for d, count in enumerate(waiting) if count > 0}
        leads = {d: sum(1 for later in downstream[d] if later in stuck) for d in stuck}
        ends = [d for d, count in leads.items() if count == 0]
        for d in ends:  # these only come after a circle
            stuck.discard(d)
            for source in upstream[d] & leads.keys():
                leads[source] -= 1
                if leads[source] == 0:
                    ends.append(source)
        return order, {self.drafts[d][0] for d in stuck}

    def steps(self) -> list[Step]:
        """The steps of the plan."""
        place = {d: i for i, d in enumerate(self.order)}
        moved = any(d != i for i, d in enumerate(self.order))  # rarely: definitions mostly stand in a fitting order
        reasons = _Reasons(self)
        makers = [{step for step, _ in each.part.unit.key_at} for each in self.parts]
        of_parts = [(each.part.unit.definition, each.part.is_subset) for each in self.parts]
        known: dict[tuple[int, tuple[str, ...]], tuple[StepOutput, ...]] = {}  # of ops that make no asset
        steps: list[Step] = []
        for d in self.order:
            p, number = self.drafts[d]
            each = self.parts[p]
            (definition, is_subset), unit, flat = of_parts[p], each.part.unit, each.part.unit.flat.steps[number]
            same = (id(flat.op), each.part.needed[number])
            outputs = known.get(same) if number not in makers[p] else None
            if outputs is None:
                outputs = tuple([self._output(each, number, name) for name in flat.op.outs])
                if number not in makers[p]:
                    known[same] = outputs
            inputs, after = self.inputs[d], self.after[d]
            mapped = over(flat, each.at) if flat.over else ()
            if moved:
                inputs = tuple(StepInput(i.name, renumbered(i.source, place), i.manager, i.nothing) for i in inputs)
                after = tuple(FromStep(place[a.step], a.output) for a in after)
                mapped = tuple(FromMapped(place[m.step], m.output) for m in mapped)
            timeout, executor = limits_of(flat, definition.op_tags)
            steps.append(
                Step(
                    key=each.key(flat),
                    node=flat.key,
                    op=flat.op.name,
                    inputs=inputs,
                    outputs=outputs,
                    decision=reasons.of(d, outputs),
                    after=after,
                    over=mapped,
                    unit=unit.name,
                    subset=is_subset,
                    code_version=flat.op.code_version or "",
                    code=self.codes[flat.op.body.fn],
                    timeout=timeout,
                    executor=executor,
                    pools=pools_of(flat, definition.pool),
                )
            )
        return steps

    def _output(self, each: _Part, number: int, name: str) -> StepOutput:
        unit = each.part.unit
        out = unit.flat.steps[number].op.outs[name]
        key = unit.key_at.get((number, name))
        needed = name in each.part.needed[number]
        if key is None or (key not in each.part.selected and key in self.selected):
            role = Role.NEEDED if needed and key is None else Role.UNNEEDED
        elif key in each.part.selected:
            role = Role.SELECTED
        else:
            role = Role.UNSELECTED_REQUIRED if out.is_required else Role.UNSELECTED_OPTIONAL
        manager = (unit.manager_at.get((number, name)) if key is not None else None) or out.io_manager_key or IO_MANAGER
        return StepOutput(
            name,
            role,
            required=out.is_required,
            asset=key.text if key is not None else None,
            io_manager=manager,
            dynamic=out.is_dynamic,
            stored=not out.is_nothing,
            stream=streams(out),
            version=(unit.definition.specs_by_key[key].code_version or "") if key is not None else "",
        )


class _Reasons:
    """Why each step runs: the selected assets it leads to inside its unit."""

    def __init__(self, layout: _Layout) -> None:
        self.layout = layout
        self.leads: list[int] = [0] * len(layout.drafts)  # bits: selected assets of the part
        self.names: list[list[AssetKey]] = [sorted(each.part.selected) for each in layout.parts]
        self.known: dict[tuple[int, int], Decision] = {}  # by part and bits
        for each, keys in zip(layout.parts, self.names, strict=True):
            for i, key in enumerate(keys):
                if key in each.part.unit.at:
                    self.leads[each.at[each.part.unit.at[key][0]]] |= 1 << i
            for number in reversed(each.part.needed):
                d = each.at[number]
                for source in (*_steps_of(layout.inputs[d]), *layout.after[d]):
                    if layout.drafts[source.step][0] == layout.drafts[d][0]:
                        self.leads[source.step] |= self.leads[d]

    def of(self, draft: int, outputs: Iterable[StepOutput]) -> Decision:
        made = [o.asset for o in outputs if o.role is Role.SELECTED and o.asset is not None]
        if made:
            return Decision(Do.RUN, "selected", ", ".join(made))
        part, bits = self.layout.drafts[draft][0], self.leads[draft]
        decision = self.known.get((part, bits))
        if decision is None:
            leads = [key.text for i, key in enumerate(self.names[part]) if bits >> i & 1]
            shown = ", ".join(leads[:3]) + (f" and {len(leads) - 3} more" if len(leads) > 3 else "")
            decision = self.known[part, bits] = Decision(Do.RUN, "needed", shown)
        return decision


def _first(unit: Unit, key: AssetKey, steps: AbstractSet[int]) -> list[int]:
    """Those of some ops of an asset that take nothing from another of these; what is an asset on the way is not taken
    from the op, but loaded."""

    def taken(source: StepOut) -> bool:
        return source.step in steps and unit.key_at.get((source.step, source.output), key) == key

    return [
        n
        for n in sorted(steps)
        if not any(taken(source) for origin in unit.flat.steps[n].inputs.values() for source in origin_steps(origin))
    ]


def _steps_of(inputs: Iterable[StepInput]) -> list[FromStep]:
    return [output for each in inputs for output in outputs_in(each.source)]


def _mark_missing(step: Step, missing: AbstractSet[str]) -> Step:
    """The step with those of its asset inputs marked of which nothing is recorded."""

    def marked(source: FromAsset) -> FromAsset:
        known = source.asset not in missing
        return source if known else FromAsset(source.asset, recorded=False, sibling=source.sibling)

    def each(source: InputSource) -> InputSource:
        if isinstance(source, FromMany):
            return FromMany(tuple(marked(i) if isinstance(i, FromAsset) else i for i in source.items))
        return marked(source) if isinstance(source, FromAsset) else source

    inputs = tuple(i if i.nothing else StepInput(i.name, each(i.source), i.manager) for i in step.inputs)
    if inputs == step.inputs:
        return step
    return msgspec.structs.replace(step, inputs=inputs)


def _besides(steps: Iterable[Step], policy: Policy) -> Iterable[Besides]:
    for step in steps:
        for output in step.outputs:
            if output.role is Role.UNSELECTED_REQUIRED:
                remedy = (
                    f"make output `{output.name}` of op `{step.op}` optional (`Out(is_required=False)`) and yield it "
                    "only when it is in `context.selected_output_names`, "
                )
            elif output.role is Role.UNSELECTED_OPTIONAL:
                remedy = (
                    f"let op `{step.op}` yield `{output.name}` only when it is in `context.selected_output_names`, "
                )
            else:
                continue
            remedy += f"or select `{output.asset}` too"
            assert output.asset is not None
            yield Besides(output.asset, step.key, output.name, output.role is Role.UNSELECTED_REQUIRED, policy, remedy)
