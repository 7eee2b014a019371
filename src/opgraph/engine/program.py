"""A plan compiled to numbers: what the engine reads on every transition.

A *slot* is the number of one output of one step, counted through the plan: step 0's outputs first. A step of the plan
that is mapped is a *template*: it never runs, steps are made of it while the run goes (fan.py). A *fan* is the slot of
a dynamic output; the depth of a step is the number of fans over which it is mapped.
"""

from copy import copy

from msgspec import Struct

from opgraph.errors import Mistake
from opgraph.plan.model import (
    Do,
    FromCollected,
    FromMany,
    FromMapped,
    FromStep,
    Gather,
    InputSource,
    Plan,
    Retry,
    Step,
)

RUN, DECIDE, REUSE, SKIP = range(4)  # a step's decision, as a number

_DECISION = {Do.RUN: RUN, Do.DECIDE: DECIDE, Do.REUSE: REUSE, Do.SKIP: SKIP}
_RUN = Do.RUN


class BrokenPlanError(Mistake):
    """A plan that no run could follow. It says more about who made the plan than about who runs it."""

    step: str
    problem: str
    says = "step {step!r} of the plan {problem}"
    mend = "make the plan again with this version of opgraph"


class Fan(Struct, frozen=True):
    """A dynamic output."""

    step: int  # the step or template that yields it
    members: tuple[int, ...]  # the templates of which a step is made for each of its values
    takers: tuple[int, ...]  # the templates that read the value
    required: bool
    stream: bool


class Edge(Struct, frozen=True, gc=False):
    """An output that a step of a template reads or waits for: of the step of `step` that is in the same element of the
    first `depth` fans. `place` is that of the output; -1: the value of the element itself, of the fan `step`."""

    depth: int
    step: int
    place: int


class Gathering(Struct, frozen=True, gc=False):
    """An input that collects: below the element of its own first `depth` fans, all elements of `path`, and in each of
    the innermost the output at `place` of the step of `step`; -1: the element's value."""

    input: str
    depth: int
    path: tuple[int, ...]
    step: int
    place: int
    levels: tuple[Gather, ...]
    optional: bool  # whether the step runs though nothing came


class Follower(Struct, frozen=True, gc=False):
    """A step that waits for another: `up` so many elements from that one, and there, or in all the elements below."""

    step: int
    up: int
    below: bool


class Program:
    """The arrays of a compiled plan, all indexed by step unless they say slot. Never changed after `compile`."""

    __slots__ = (
        "base", "count", "decisions", "dependents", "edges", "fans", "followers", "gates", "gatherings", "groups",
        "lists", "maker", "names", "needs", "outputs", "over", "place", "plan", "retries", "waits",
    )  # fmt: skip

    plan: Plan
    count: int
    decisions: bytes
    base: list[int]  # the slot of the step's first output
    names: list[dict[str, int]]  # output name -> place after `base`; steps with the same names share one dict
    outputs: list[str]  # by slot: its name
    maker: list[int]  # by slot: its step
    needs: list[tuple[int, ...]]  # the slots that must all have come; of templates, see `edges`
    groups: list[tuple[tuple[bool, tuple[int, ...]], ...]]  # fan-in lists: may none have come? and their slots
    dependents: list[tuple[int, ...] | None]  # the steps that wait for this one, each once; None: see `followers`
    waits: list[int]  # how many steps it waits for; those that the plan skips have ended from the start
    retries: dict[int, Retry]
    over: list[tuple[int, ...]]  # the fans over which it is mapped
    place: list[int]  # of a template: which of its fan's members it is; of another step: its number
    fans: dict[int, Fan]  # by slot
    edges: dict[int, tuple[Edge, ...]]  # of templates: what must have come
    lists: dict[int, tuple[tuple[bool, tuple[Edge, ...]], ...]]  # of templates: fan-in lists
    gatherings: dict[int, tuple[Gathering, ...]]  # of those that collect
    gates: dict[int, tuple[Edge, ...]]  # of templates: steps that must have succeeded, for no value's sake
    followers: dict[int, tuple[Follower, ...]]

    def __init__(self, plan: Plan) -> None:
        count = len(plan.steps)
        self.plan = plan
        self.count = count
        # To look up an enum's member takes time: most steps run.
        self.decisions = bytes([RUN if (do := step.decision.do) is _RUN else _DECISION[do] for step in plan.steps])
        self.retries = {i: step.retry for i, step in enumerate(plan.steps) if step.retry is not None}
        self.base, self.names, self.outputs, self.maker = [], [], [], []
        self.needs, self.groups, self.waits = [], [], [0] * count
        self.over, self.place, self.fans = [()] * count, list(range(count)), {}
        self.edges, self.lists, self.gatherings, self.gates, self.followers = {}, {}, {}, {}, {}
        shared: dict[tuple[str, ...], dict[str, int]] = {}
        known: dict[int, tuple[str, ...]] = {}
        dependents: list[list[int]] = [[] for _ in range(count)]
        far: dict[int, dict[int, Follower]] = {}
        for i, step in enumerate(plan.steps):
            self._number_outputs(step, i, shared, known)
            if step.over:
                self._place(step, i)
            upstream = self._number_inputs(step, i)
            for other, depth in upstream.items():
                if depth < 0:  # neither is mapped
                    dependents[other].append(i)
                    if self.decisions[other] != SKIP:
                        self.waits[i] += 1
                    continue
                follower = Follower(i, len(self.over[other]) - depth, len(step.over) > depth)
                if far.setdefault(other, {}).setdefault(i, follower) != follower:
                    raise BrokenPlanError(step.key, f"both collects {plan.steps[other].key!r} and is mapped with it")
                if not self.over[other] and not step.over and self.decisions[other] != SKIP:
                    self.waits[i] += 1
        self.dependents = [tuple(steps) for steps in dependents]
        for i, found in far.items():
            plain = [Follower(other, 0, below=False) for other in dependents[i]]
            self.followers[i] = (*plain, *found.values())
            self.dependents[i] = None

    def _number_outputs(
        self, step: Step, i: int, shared: dict[tuple[str, ...], dict[str, int]], known: dict[int, tuple[str, ...]]
    ) -> None:
        names = known.get(id(step.outputs))  # steps of one op mostly share them
        if names is None:
            names = tuple([output.name for output in step.outputs])
            if not any(output.dynamic for output in step.outputs):
                known[id(step.outputs)] = names
            for place, output in enumerate(step.outputs):
                if output.dynamic:
                    slot = len(self.outputs) + place
                    self.fans[slot] = Fan(i, (), (), output.required, output.stream)
        places = shared.get(names)
        if places is None:
            places = shared[names] = {name: place for place, name in enumerate(names)}
        self.base.append(len(self.outputs))
        self.names.append(places)
        self.outputs += names
        self.maker += [i] * len(names)

    def _place(self, step: Step, i: int) -> None:
        """Makes a template known to the fan over which it is mapped last."""
        fans: list[int] = []
        for each in step.over:
            fan = self._fan(step, i, each.step, each.output)
            if self.over[self.fans[fan].step] != tuple(fans):
                raise BrokenPlanError(step.key, f"is mapped over {each.output!r} in another order than that comes")
            fans.append(fan)
        self.over[i] = tuple(fans)
        innermost = self.fans[fans[-1]]
        self.place[i] = len(innermost.members)
        self.fans[fans[-1]] = Fan(
            innermost.step, (*innermost.members, i), innermost.takers, innermost.required, innermost.stream
        )
        gates = [Edge(depth, self.fans[fan].step, 0) for depth, fan in enumerate(fans) if not self.fans[fan].stream]
        if gates:
            self.gates[i] = tuple(gates)

    def _number_inputs(self, step: Step, i: int) -> dict[int, int]:
        """Notes what a step needs; returns the steps that it waits for, each once, with the number of fans that they
        have in common with it, or -1 where neither is mapped."""
        if not step.over:
            simple = self._only_plain(step, i)
            if simple is not None:
                return simple
        edges = [self._edge(step, i, edge) for edge in step.after if not self.is_left_out(edge.step)]
        lists: list[tuple[bool, tuple[Edge, ...]]] = []
        gatherings: list[Gathering] = []
        for given in step.inputs:
            source = given.source
            items = source.items if isinstance(source, FromMany) else (source,)
            optional = given.nothing or isinstance(source, FromMany)
            collected = [item for item in items if isinstance(item, FromCollected)]
            gatherings += [self._gathering(step, i, given.name, item, optional=optional) for item in collected]
            found = [self._edge(step, i, item) for item in items if isinstance(item, (FromStep, FromMapped))]
            if not isinstance(source, FromMany):
                edges += found
            elif found:
                lists.append((len(found) < len(items), tuple(found)))
        edges = list(dict.fromkeys(edges))
        if gatherings:
            self.gatherings[i] = tuple(gatherings)
        upstream: dict[int, int] = {}
        for edge in (*edges, *(edge for _, items in lists for edge in items), *self.gates.get(i, ())):
            if edge.place >= 0:
                upstream[edge.step] = edge.depth
            else:
                self._add_taker(edge.step, i)
        for each in gatherings:
            for maker in (*(self.fans[fan].step for fan in each.path), each.step):
                if upstream.setdefault(maker, each.depth) != each.depth:
                    other = self.plan.steps[maker].key
                    raise BrokenPlanError(step.key, f"both collects {other!r} and is mapped with it")
        if step.over:
            self.edges[i], self.lists[i] = tuple(edges), tuple(lists)
            self.needs.append(())
            self.groups.append(())
            return upstream
        self.needs.append(tuple(self.base[edge.step] + edge.place for edge in edges))
        groups = [(others, tuple(self.base[e.step] + e.place for e in items)) for others, items in lists]
        self.groups.append((*groups, (True, ())))  # never empty, so that the collected inputs are looked at
        return {other: depth if self.over[other] or depth else -1 for other, depth in upstream.items()}

    def _add_taker(self, slot: int, i: int) -> None:
        fan = self.fans[slot]
        if i not in fan.takers:
            self.fans[slot] = Fan(fan.step, fan.members, (*fan.takers, i), fan.required, fan.stream)

    def _only_plain(self, step: Step, i: int) -> dict[int, int] | None:
        """`_number_inputs` of a step that neither is mapped nor collects; None: it does."""
        if len(step.inputs) == 1 and not step.after and type(source := step.inputs[0].source) is FromStep:
            slot = self._slot(step, i, source)  # the commonest case
            self.needs.append((slot,))
            self.groups.append(())
            return {source.step: -1}
        needs = [self._slot(step, i, edge) for edge in step.after if not self.is_left_out(edge.step)]
        groups: list[tuple[bool, tuple[int, ...]]] = []
        for given in step.inputs:
            source: InputSource = given.source
            if type(source) is FromStep:
                needs.append(self._slot(step, i, source))
            elif isinstance(source, FromMany):
                if any(isinstance(item, (FromCollected, FromMapped)) for item in source.items):
                    return None
                edges = [item for item in source.items if isinstance(item, FromStep)]
                if edges:
                    groups.append((len(edges) < len(source.items), tuple(self._slot(step, i, edge) for edge in edges)))
            elif isinstance(source, (FromCollected, FromMapped)):
                return None
        self.needs.append(tuple(dict.fromkeys(needs)))
        self.groups.append(tuple(groups))
        upstream = {self.maker[slot]: -1 for slot in needs}
        upstream.update((self.maker[slot], -1) for _, slots in groups for slot in slots)
        return upstream

    def is_left_out(self, other: int) -> bool:
        """Whether the plan skips a step though it might have outputs: nothing is awaited of it for order's sake."""
        decision = self.plan.steps[other].decision
        return decision.do is Do.SKIP and decision.why != "skipped"

    def _slot(self, step: Step, i: int, edge: FromStep | FromMapped | FromCollected) -> int:
        slot = self._output(step, i, edge.step, edge.output)
        if self.over[edge.step]:
            raise BrokenPlanError(step.key, f"is not mapped, and needs {self.plan.steps[edge.step].key!r}, which is")
        return slot

    def _output(self, step: Step, i: int, other: int, output: str) -> int:
        if not 0 <= other < i:
            raise BrokenPlanError(step.key, f"comes before step {other}, which it needs")
        place = self.names[other].get(output)
        if place is None:
            key = self.plan.steps[other].key
            raise BrokenPlanError(step.key, f"needs the output {output!r}, which {key!r} does not have")
        return self.base[other] + place

    def _fan(self, step: Step, i: int, other: int, output: str) -> int:
        slot = self._output(step, i, other, output)
        if slot not in self.fans:
            raise BrokenPlanError(step.key, f"is mapped over {output!r} of step {other}, which is not dynamic")
        return slot

    def _edge(self, step: Step, i: int, source: FromStep | FromMapped) -> Edge:
        over = self.over[i]
        if isinstance(source, FromMapped):
            fan = self._fan(step, i, source.step, source.output)
            if fan not in over:
                raise BrokenPlanError(step.key, f"takes a value of {source.output!r}, over which it is not mapped")
            return Edge(over.index(fan) + 1, fan, -1)
        slot = self._output(step, i, source.step, source.output)
        depth = len(self.over[source.step])
        if over[:depth] != self.over[source.step]:
            other = self.plan.steps[source.step].key
            raise BrokenPlanError(step.key, f"needs {other!r}, which is mapped over what it is not mapped over")
        return Edge(depth, source.step, slot - self.base[source.step])

    def _gathering(self, step: Step, i: int, name: str, source: FromCollected, *, optional: bool) -> Gathering:
        slot = self._output(step, i, source.step, source.output)
        path = (*self.over[source.step], slot) if slot in self.fans else self.over[source.step]
        depth = len(path) - len(source.levels)
        if depth < 0 or path[:depth] != self.over[i][:depth]:
            raise BrokenPlanError(step.key, f"collects {source.output!r} of step {source.step}, which is not mapped so")
        if self.over[i][depth : depth + 1] == path[depth : depth + 1]:
            raise BrokenPlanError(step.key, f"both collects {source.output!r} and is mapped with it")
        place = -1 if slot in self.fans else slot - self.base[source.step]
        return Gathering(name, depth, path[depth:], source.step, place, source.levels, optional)

    def slot(self, step: int, output: str) -> int | None:
        """The slot of an output of a step of the plan; None where the step has no output of this name."""
        place = self.names[step].get(output)
        return None if place is None else self.base[step] + place


def compile(plan: Plan) -> Program:  # noqa: A001 - read as `program.compile`
    """The plan as arrays of numbers. Takes time in proportion to steps and edges, unless these very steps were the last
    that were compiled: who runs the same again in one process has the same steps again.

    Raises:
        BrokenPlanError: a step needs one that comes after it, or an output that does not exist; or it is mapped over
            one thing and takes from another.
    """
    global _last  # noqa: PLW0603 - one, so that it keeps nothing alive that grows
    last = _last
    if last is None or last.plan.steps is not plan.steps:
        _last = last = Program(plan)
        return last
    program = copy(last)
    program.plan = plan
    return program


_last: Program | None = None
