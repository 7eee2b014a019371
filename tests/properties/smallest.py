"""Makes a failing case small: a seeded one has no hypothesis to shrink it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from program_tree import Call, Case, External, Graph, GraphAsset, PlainAsset, Program, Ref, Request, definition_keys
from programs import has_cycle
from reference_model import flatten, makeable, needed_outputs

Definition = GraphAsset | PlainAsset | External


def smallest(case: Case, fails: Callable[[Case], bool], tries: int = 500) -> Case:
    """A case that still fails and of which no single part can be left out. Takes so many tries at most."""
    while True:
        for simpler in _simpler(case):
            tries -= 1
            if tries < 0:
                return case
            if fails(simpler):
                case = simpler
                break
        else:
            return case


def _simpler(case: Case) -> Iterator[Case]:
    for i in range(len(case.requests)):
        if len(case.requests) > 1:
            yield replace(case, requests=case.requests[:i] + case.requests[i + 1 :])
    for i, definition in enumerate(case.program.assets):
        for smaller in (None, *_smaller(definition)):
            kept = () if smaller is None else (smaller,)
            program = Program((*case.program.assets[:i], *kept, *case.program.assets[i + 1 :]))
            requests = _only(case.requests, program)
            if requests and valid(program):
                yield Case(program, requests)
    for i, request in enumerate(case.requests):
        for key in sorted(request.selection):
            if len(request.selection) > 1:
                less = replace(request, selection=request.selection - {key})
                yield replace(case, requests=(*case.requests[:i], less, *case.requests[i + 1 :]))


def _only(requests: tuple[Request, ...], program: Program) -> tuple[Request, ...]:
    """The requests without what the program no longer has."""
    keys = frozenset(makeable(program))
    return tuple(replace(r, selection=r.selection & keys) for r in requests if r.selection & keys)


def _smaller(definition: Definition) -> Iterator[Definition]:
    if isinstance(definition, PlainAsset):
        yield from (replace(definition, ins=tuple(k for k in definition.ins if k != key)) for key in definition.ins)
        yield from (replace(definition, deps=tuple(k for k in definition.deps if k != key)) for key in definition.deps)
    elif isinstance(definition, GraphAsset):
        if len(definition.keys) == 1:
            yield External(definition.keys[0][1])
        if definition.how == "from_op":
            return
        for name in definition.graph.output_names:
            graph = pruned(
                replace(definition.graph, returns=tuple(r for r in definition.graph.returns if r[0] != name))
            )
            keys = tuple(pair for pair in definition.keys if pair[0] != name)
            ins = tuple(pair for pair in definition.ins if pair[0] in graph.inputs)
            if keys:
                how = "from_graph" if len(keys) == 1 else definition.how
                yield replace(definition, graph=graph, ins=ins, keys=keys, how=how)


def pruned(graph: Graph) -> Graph:
    """The graph without the calls, inputs and inner outputs that no returned value needs."""
    read = {ref for _, ref in graph.returns}
    calls: list[Call] = []
    for call in reversed(graph.calls):
        wanted = tuple(name for name in call.body.output_names if Ref(call.node, name) in read)
        if not wanted:
            continue
        if isinstance(call.body, Graph) and wanted != call.body.output_names:
            inner = pruned(replace(call.body, returns=tuple(r for r in call.body.returns if r[0] in wanted)))
            inner = replace(inner, name="_".join((inner.name, *wanted)))
            call = replace(call, body=inner, feeds=tuple(f for f in call.feeds if f[0] in inner.inputs))  # noqa: PLW2901
        read.update(ref for _, refs in call.feeds for ref in refs)
        calls.insert(0, call)
    return replace(graph, calls=tuple(calls), inputs=tuple(i for i in graph.inputs if Ref(None, i) in read))


def valid(program: Program) -> bool:
    """Whether every input has a source and every step an asset that needs it, without a cycle."""
    everything = {key for definition in program.assets for key in definition_keys(definition)}
    read = {key for d in program.assets if isinstance(d, GraphAsset) for _, key in d.ins}
    read |= {key for d in program.assets if isinstance(d, PlainAsset) for key in (*d.ins, *d.deps)}
    if not read <= everything or not makeable(program) or has_cycle(program):
        return False
    steps = flatten(program)
    return {step for step, _ in needed_outputs(steps, makeable(program))} == steps.keys()
