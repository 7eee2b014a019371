"""Where the steps of a fan-out stand to one another: who waits for whom, and which values a step reads."""

from collections.abc import Iterator
from typing import Any

from opgraph.engine.phases import Phase
from opgraph.engine.program import Edge, Gathering
from opgraph.engine.state import State

ENDED_BADLY = (Phase.FAILED, Phase.BLOCKED, Phase.CANCELED)


def enclosing(state: State, step: int, depth: int) -> int:
    """The element of the first `depth` fans in which a step stands; 0: the run itself."""
    element = state.within[step]
    for _ in range(len(state.program.over[state.template[step]]) - depth):
        element = state.above[element]
    return element


def made_in(state: State, template: int, element: int) -> int:
    """The step that was made of a template for an element; of what is not mapped, the step itself."""
    return state.first[element] + state.program.place[template]


def elements_below(state: State, element: int, path: tuple[int, ...]) -> Iterator[int]:
    """The elements of some fans, one inside the other, below an element; in the order in which they were yielded."""
    if not path:
        yield element
        return
    for each in elements_of(state, element, path[0]):
        yield from elements_below(state, each, path[1:])


def elements_of(state: State, element: int, fan: int) -> list[int]:
    """The elements that the generator in an element has yielded for one of its dynamic outputs."""
    generator = made_in(state, state.program.fans[fan].step, element)
    slot = state.base[generator] + fan - state.program.base[state.program.fans[fan].step]
    found = state.live.get(slot)
    return list(found.values()) if found else []


def slot_of(state: State, step: int, edge: Edge) -> int:
    """The slot that an edge of a step means."""
    element = enclosing(state, step, edge.depth)
    if edge.place < 0:
        return state.elements[element]
    return state.base[made_in(state, edge.step, element)] + edge.place


def collected(state: State, step: int, each: Gathering) -> Iterator[int]:
    """The slots that an input collects, in order."""
    for element in elements_below(state, enclosing(state, step, each.depth), each.path):
        if each.place < 0:
            yield state.elements[element]
        else:
            yield state.base[made_in(state, each.step, element)] + each.place


def collected_as(state: State, step: int, each: Gathering) -> Any:
    """The same, nested as the fan-outs are: pairs of a mapping key and what is below it, a slot at last, to be gone
    through once. None is below an element whose own generator failed."""

    def below(element: int, path: tuple[int, ...]) -> Any:
        if path:
            if state.phases[made_in(state, state.program.fans[path[0]].step, element)] in ENDED_BADLY:
                return None
            return ((state.keys[inner], below(inner, path[1:])) for inner in elements_of(state, element, path[0]))
        if each.place < 0:
            return state.elements[element]
        return state.base[made_in(state, each.step, element)] + each.place

    return below(enclosing(state, step, each.depth), each.path)


def slots_read(state: State, step: int) -> list[int]:
    """Every slot that a step reads or waits for."""
    program = state.program
    template = state.template[step]
    found = [*program.needs[template], *(slot for _, slots in program.groups[template] for slot in slots)]
    if template in program.edges:
        found += [slot_of(state, step, edge) for edge in program.edges[template]]
        found += [slot_of(state, step, edge) for _, items in program.lists[template] for edge in items]
    for each in program.gatherings.get(template, ()):
        found += collected(state, step, each)
    return found


def generators(state: State, step: int, each: Gathering) -> Iterator[int]:
    """The steps whose fan-outs an input collects, the outermost first."""
    base = enclosing(state, step, each.depth)
    for level, fan in enumerate(each.path):
        template = state.program.fans[fan].step
        for element in elements_below(state, base, each.path[:level]):
            yield made_in(state, template, element)


def upstream(state: State, step: int) -> set[int]:
    """The steps that a step waits for."""
    program = state.program
    template = state.template[step]
    found = {state.maker[slot] for slot in program.needs[template]}
    found.update(state.maker[slot] for _, slots in program.groups[template] for slot in slots)
    if template in program.edges:
        edges = [*program.edges[template], *program.gates.get(template, ())]
        edges += [edge for _, items in program.lists[template] for edge in items]
        for edge in edges:
            if edge.place >= 0:
                found.add(made_in(state, edge.step, enclosing(state, step, edge.depth)))
    for each in program.gatherings.get(template, ()):
        found.update(generators(state, step, each))
        if each.place >= 0:
            base = enclosing(state, step, each.depth)
            found.update(made_in(state, each.step, element) for element in elements_below(state, base, each.path))
    return found


def torn_above(state: State, step: int) -> int:
    """How many of the elements whose values a step reads have lost them."""
    if not state.torn:
        return 0
    edges = state.program.edges.get(state.template[step], ())
    lists = state.program.lists.get(state.template[step], ())
    read = {enclosing(state, step, e.depth) for e in (*edges, *(e for _, es in lists for e in es)) if e.place < 0}
    return sum(element in state.torn_versions for element in read)


def takers(state: State, element: int) -> Iterator[int]:
    """The steps that read the value of an element."""
    fan = state.fan_of(element)
    depth = len(state.program.over[state.program.fans[fan].step]) + 1
    for template in state.program.fans[fan].takers:
        for below in elements_below(state, element, state.program.over[template][depth:]):
            yield made_in(state, template, below)


def followers(state: State, step: int) -> Iterator[int]:
    """The steps that wait for a step."""
    program = state.program
    template = state.template[step]
    near = program.dependents[template]
    if near is not None:
        if template == step:
            yield from near
        return
    for each in program.followers[template]:
        element = state.within[step]
        for _ in range(each.up):
            element = state.above[element]
        if each.below:
            depth = len(program.over[template]) - each.up
            for below in elements_below(state, element, program.over[each.step][depth:]):
                yield made_in(state, each.step, below)
        else:
            yield made_in(state, each.step, element)
