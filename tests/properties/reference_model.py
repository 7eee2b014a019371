"""What a run of a program must do: plain, slow, and meant to be read against the rules on subsets.

It knows nothing of the package. `flatten` gives the steps, `foresee` what a plan must say, `simulate`
what then happens.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from program_tree import (
    External,
    Graph,
    GraphAsset,
    Key,
    Op,
    PlainAsset,
    Port,
    Program,
    Ref,
    Request,
    definition_keys,
    slashed,
)

Output = tuple[str, str]  # step key, output name


def mix(era: str, tag: str, arguments: Sequence[object]) -> int:
    """The value of the output `tag` ("op.output"), different for other arguments and in another run."""
    return zlib.crc32(repr((era, tag, list(arguments))).encode())


# flattening


@dataclass(frozen=True, slots=True)
class Wire:
    """An input of a step. Each source is an output of a step, or, where that output is an asset, the asset's key."""

    name: str
    sources: tuple[Output | AssetSource, ...]
    many: bool = False
    nothing: bool = False


@dataclass(frozen=True, slots=True)
class AssetSource:
    key: Key


@dataclass(slots=True)
class Step:
    key: str
    tag: str  # the op's name, or the plain asset's key
    owner: int  # index of its definition in the program
    wires: list[Wire]
    ports: tuple[Port, ...]
    defaulted: frozenset[str]  # inputs that keep their default
    parameters: tuple[str, ...]  # the function's, in order, without `Nothing` inputs
    assets: dict[str, Key] = field(default_factory=dict[str, Key])  # by output name
    declared_inputs: tuple[str, ...] = ()


def flatten(program: Program) -> dict[str, Step]:
    """The program's steps by key: `asset.graph.op`, and a plain asset's key with `__` between its parts."""
    steps: dict[str, Step] = {}
    for owner, definition in enumerate(program.assets):
        if isinstance(definition, PlainAsset):
            wires = [Wire(f"u{i}", (AssetSource(key),)) for i, key in enumerate(definition.ins)]
            parameters = tuple(wire.name for wire in wires)
            wires += [Wire(slashed(key), (AssetSource(key),), nothing=True) for key in definition.deps]
            key = "__".join(definition.key)
            port = (Port("result"),)
            steps[key] = Step(
                key, slashed(definition.key), owner, wires, port, frozenset(), parameters, {"result": definition.key}
            )
        elif isinstance(definition, GraphAsset):
            ins = {name: (AssetSource(key),) for name, key in definition.ins}
            own: dict[str, Step] = {}
            path = "" if definition.how == "from_op" else f"{definition.node}."
            returned = _unfold(definition.graph, path, ins, owner, own)
            for name, key in definition.keys:
                step, port_name = returned[name][0]
                assert port_name not in own[step].assets, "one output of an op carries one asset"
                own[step].assets[port_name] = key
            for step in own.values():
                step.wires = [
                    Wire(wire.name, tuple(_as_asset(source, own) for source in wire.sources), wire.many, wire.nothing)
                    for wire in step.wires
                ]
            steps |= own
    return steps


def _as_asset(source: Output | AssetSource, own: Mapping[str, Step]) -> Output | AssetSource:
    if isinstance(source, AssetSource) or source[1] not in own[source[0]].assets:
        return source
    return AssetSource(own[source[0]].assets[source[1]])


def _unfold(graph: Graph, path: str, ins: Mapping[str, tuple], owner: int, steps: dict[str, Step]) -> dict[str, tuple]:
    made: dict[Ref, tuple] = {Ref(None, name): sources for name, sources in ins.items()}
    for call in graph.calls:
        inner = f"{path}{call.node}"
        fed = {name: tuple(source for ref in refs for source in made[ref]) for name, refs in call.feeds}
        if isinstance(call.body, Graph):
            outs = _unfold(call.body, f"{inner}.", fed, owner, steps)
        else:
            steps[inner] = _step(call.body, inner, fed, owner)
            outs = {port.name: ((inner, port.name),) for port in call.body.outputs}
        made |= {Ref(call.node, name): sources for name, sources in outs.items()}
    return {name: made[ref] for name, ref in graph.returns}


def _step(op: Op, key: str, fed: Mapping[str, tuple], owner: int) -> Step:
    wires = [Wire(i.name, fed[i.name], i.many, i.nothing) for i in op.inputs if i.name in fed]
    parameters = tuple(i.name for i in op.inputs if not i.nothing)
    defaulted = frozenset(i.name for i in op.inputs if i.default and i.name not in fed)
    return Step(key, op.name, owner, wires, op.outputs, defaulted, parameters)


def makers(steps: Mapping[str, Step]) -> dict[Key, Output]:
    """The step output behind each asset that the program can make."""
    return {key: (step.key, name) for step in steps.values() for name, key in step.assets.items()}


# what a plan must say


def needed_outputs(steps: Mapping[str, Step], selection: Iterable[Key]) -> set[Output]:
    """The outputs that the selected assets need: their own, and of each step that has one, what its inputs need.

    An asset that is not selected ends the search: it is loaded, and its op does not run on its account.
    """
    maker = makers(steps)
    needed = {maker[key] for key in selection}
    while True:
        running = {step for step, _ in needed}
        more = {
            source
            for step in running
            for wire in steps[step].wires
            for source in wire.sources
            if not isinstance(source, AssetSource) and source not in needed
        }
        if not more:
            return needed
        needed |= more


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a plan must say of one request."""

    split: frozenset[int]  # definitions that the selection splits though they can't be
    selected_names: Mapping[str, frozenset[str]]  # per step that runs: context.selected_output_names
    roles: Mapping[Output, str]  # of each output of a step that runs
    after: Mapping[str, frozenset[str]]  # per step that runs: the steps that it waits for
    loads: Mapping[str, frozenset[Key]]  # per step that runs: the assets it loads that this run was not asked to make
    certain: frozenset[Key]
    may: frozenset[Key]
    missing: frozenset[Key]  # to be loaded, not stored, and not asked for
    partial: frozenset[int]  # definitions of which a part runs

    def refused(self, policy: str) -> bool:
        return bool(policy == "error" and self.certain)


def foresee(program: Program, request: Request, stored: Iterable[Key] = ()) -> Foreseen:
    steps, selection = flatten(program), request.selection
    maker, needed = makers(steps), needed_outputs(steps, selection)
    running = {step for step, _ in needed}
    roles: dict[Output, str] = {}
    after: dict[str, frozenset[str]] = {}
    loads: dict[str, frozenset[Key]] = {}
    for key in running:
        step = steps[key]
        for port in step.ports:
            asset = step.assets.get(port.name)
            if asset is None:
                roles[key, port.name] = "needed" if (key, port.name) in needed else "unneeded"
            elif asset in selection:
                roles[key, port.name] = "selected"
            else:
                roles[key, port.name] = "unselected_required" if port.required else "unselected_optional"
        waits: set[str] = set()
        loaded: set[Key] = set()
        for wire in step.wires:
            for source in wire.sources:
                if not isinstance(source, AssetSource):
                    waits.add(source[0])
                elif source.key in selection:
                    waits.add(maker[source.key][0])
                elif not wire.nothing:
                    loaded.add(source.key)
        after[key], loads[key] = frozenset(waits), frozenset(loaded)

    def besides(role: str) -> frozenset[Key]:
        return frozenset(steps[step].assets[name] for (step, name), r in roles.items() if r == role)

    partial, split = set[int](), set[int]()
    for i, definition in enumerate(program.assets):
        chosen = selection.intersection(definition_keys(definition))
        if chosen and len(chosen) < len(definition_keys(definition)):
            partial.add(i)
            assert isinstance(definition, GraphAsset)
            if not definition.can_subset or (definition.can_subset == "auto" and ops_in_the_way(program, i)):
                split.add(i)
    return Foreseen(
        split=frozenset(split),
        selected_names={key: frozenset(name for step, name in needed if step == key) for key in running},
        roles=roles,
        after=after,
        loads=loads,
        certain=besides("unselected_required"),
        may=besides("unselected_optional"),
        missing=frozenset(key for keys in loads.values() for key in keys).difference(stored),
        partial=frozenset(partial),
    )


def ops_in_the_way(program: Program, owner: int) -> set[str]:
    """The steps that make a subset of the definition unsafe: a required asset output beside one that others need."""
    steps = {key: step for key, step in flatten(program).items() if step.owner == owner}
    needed_by = {asset: needed_outputs(steps, [asset]) for asset in makers(steps)}
    return {
        step.key
        for step in steps.values()
        for port in step.ports
        for asset, needed in needed_by.items()
        if port.required and port.name in step.assets and step.assets[port.name] != asset
        if any((step.key, other.name) in needed for other in step.ports if other is not port)
    }


# what then happens


@dataclass(frozen=True, slots=True)
class Called:
    """A call of an op's function, as the function sees it."""

    step: str
    arguments: tuple[object, ...]
    selected_names: frozenset[str]
    is_subset: bool


@dataclass(slots=True)
class Outcome:
    """What happened in a run: predicted here, observed by the adapter."""

    order: list[str] = field(default_factory=list[str])  # steps in the order of their start
    called: list[Called] = field(default_factory=list[Called])
    succeeded: set[str] = field(default_factory=set[str])
    failed: set[str] = field(default_factory=set[str])
    skipped: set[str] = field(default_factory=set[str])
    blocked: set[str] = field(default_factory=set[str])  # never started: something upstream failed
    asked: dict[Key, object] = field(default_factory=dict[Key, object])  # materialized, selected
    besides: dict[Key, object] = field(default_factory=dict[Key, object])  # materialized, not selected
    kept: dict[Output, object] = field(default_factory=dict[Output, object])  # intermediates stored
    dropped: set[Output] = field(default_factory=set[Output])  # given by the function and not stored
    loaded: set[tuple[str, Key]] = field(default_factory=set[tuple[str, Key]])  # from before, per step


def simulate(
    program: Program, request: Request, storage: dict[Key, object], era: str, order: Sequence[str] | None = None
) -> Outcome:
    """Runs the request over `storage`, which it changes. With `order`, steps start in that order, which is verified."""
    steps, plan, out = flatten(program), foresee(program, request, storage), Outcome()
    maker = makers(steps)
    came: dict[Output, object] = {}
    pending = sorted(plan.selected_names)
    to_start = list(order) if order is not None else None
    while pending:
        settled = out.succeeded | out.failed | out.skipped | out.blocked
        ready = [key for key in pending if plan.after[key] <= settled]
        assert ready, f"a cycle among {pending}"
        idle = [
            key
            for key in ready
            if plan.after[key] & (out.failed | out.blocked) or _starved(steps[key], request, maker, came)
        ]
        if idle:
            key = idle[0]
            (out.blocked if plan.after[key] & (out.failed | out.blocked) else out.skipped).add(key)
        else:
            key = ready[0]
            if to_start is not None:
                assert to_start, f"{ready} never started"
                key = to_start.pop(0)
                assert key in ready, f"{key} started; ready were only {ready}"
            out.order.append(key)
            _attempt(steps[key], program, request, plan, maker, came, storage, era, out)
        pending.remove(key)
    assert not to_start, f"{to_start} started too"
    return out


def _outputs(wire: Wire, request: Request, maker: Mapping[Key, Output]) -> list[Output]:
    """Those of the wire's sources that this run is asked to make."""
    made = (maker.get(s.key) if isinstance(s, AssetSource) and s.key in request.selection else s for s in wire.sources)
    return [source for source in made if source is not None and not isinstance(source, AssetSource)]


def _starved(step: Step, request: Request, maker: Mapping[Key, Output], came: Mapping[Output, object]) -> bool:
    """Whether an input gets nothing: all of its sources are outputs of this run that did not come."""
    return any(
        len(outputs := _outputs(wire, request, maker)) == len(wire.sources) and not any(o in came for o in outputs)
        for wire in step.wires
    )


def _attempt(
    step: Step,
    program: Program,
    request: Request,
    plan: Foreseen,
    maker: Mapping[Key, Output],
    came: dict[Output, object],
    storage: dict[Key, object],
    era: str,
    out: Outcome,
) -> None:
    values: dict[str, object] = {}
    for wire in step.wires:
        if wire.nothing:
            continue
        taken: list[object] = []
        for source in wire.sources:
            if isinstance(source, AssetSource) and source.key not in request.selection:
                if source.key not in storage:
                    out.failed.add(step.key)
                    return
                out.loaded.add((step.key, source.key))
                taken.append(storage[source.key])
            else:
                output = maker[source.key] if isinstance(source, AssetSource) else source
                if output in came:
                    taken.append(came[output])
        values[wire.name] = taken if wire.many else taken[0]
    arguments = tuple(7 if name in step.defaulted else values[name] for name in step.parameters)
    names = plan.selected_names[step.key]
    out.called.append(Called(step.key, arguments, names, step.owner in plan.partial))
    plain = isinstance(program.assets[step.owner], PlainAsset)
    given: dict[str, object] = {}
    for port in step.ports:
        tag = step.tag if plain else f"{step.tag}.{port.name}"
        comes = {"always": True, "selected": port.name in names, "flag": tag not in request.off, "never": False}
        if comes[port.when]:
            given[port.name] = mix(era, tag, arguments)
    unselected = {name for name in given if plan.roles[step.key, name].startswith("unselected")}
    if request.policy == "error" and unselected:
        out.failed.add(step.key)
        return
    out.succeeded.add(step.key)
    for name, value in given.items():
        role = plan.roles[step.key, name]
        if role == "unneeded" or (name in unselected and request.policy == "discard"):
            out.dropped.add((step.key, name))
        elif role == "needed":
            out.kept[step.key, name] = came[step.key, name] = value
        elif role == "selected":
            out.asked[step.assets[name]] = came[step.key, name] = storage[step.assets[name]] = value
        else:
            out.besides[step.assets[name]] = storage[step.assets[name]] = value


def externals(program: Program) -> list[Key]:
    return [definition.key for definition in program.assets if isinstance(definition, External)]


def makeable(program: Program) -> list[Key]:
    return [key for d in program.assets if not isinstance(d, External) for key in definition_keys(d)]
