"""A plan compiled to numbers: what the engine reads on every transition.

A *slot* is the number of one output of one step, counted through the plan: step 0's outputs first.
"""

from collections.abc import Collection

from opgraph.errors import Error, NotYetSupportedError
from opgraph.plan.model import Do, FromCollected, FromMany, FromMapped, FromStep, Plan, Retry, Step

RUN, DECIDE, REUSE, SKIP = range(4)  # a step's decision, as a number

_DECISION = {Do.RUN: RUN, Do.DECIDE: DECIDE, Do.REUSE: REUSE, Do.SKIP: SKIP}


class BrokenPlanError(Error):
    """A plan that no run could follow. It says more about who made the plan than about who runs it."""

    def __init__(self, step: str, problem: str) -> None:
        self.step = step
        self.problem = problem
        super().__init__(f"step {step!r} of the plan {problem}", fix="make the plan again with this version of opgraph")


class Program:
    """The arrays of a compiled plan, all indexed by step unless they say slot. Never changed after `compile`."""

    __slots__ = (
        "base",
        "decisions",
        "dependents",
        "groups",
        "maker",
        "names",
        "needs",
        "outputs",
        "plan",
        "retries",
        "waits",
    )

    plan: Plan
    decisions: bytes
    base: list[int]  # the slot of the step's first output
    names: list[dict[str, int]]  # output name -> place after `base`; steps with the same names share one dict
    outputs: list[str]  # by slot: its name
    maker: list[int]  # by slot: its step
    needs: list[tuple[int, ...]]  # the slots that must all have come
    groups: list[tuple[tuple[bool, tuple[int, ...]], ...]]  # fan-in lists: may none have come? and their slots
    dependents: list[tuple[int, ...]]  # the steps that wait for this one, each once
    waits: list[int]  # how many steps it waits for; those that the plan skips have ended from the start
    retries: dict[int, Retry]

    def __init__(self, plan: Plan) -> None:
        count = len(plan.steps)
        self.plan = plan
        self.decisions = bytes([_DECISION[step.decision.do] for step in plan.steps])
        self.retries = {i: step.retry for i, step in enumerate(plan.steps) if step.retry is not None}
        self.base, self.names, self.outputs, self.maker = [], [], [], []
        self.needs, self.groups, self.waits = [], [], [0] * count
        shared: dict[tuple[str, ...], dict[str, int]] = {}
        dependents: list[list[int]] = [[] for _ in range(count)]
        for i, step in enumerate(plan.steps):
            self._number_outputs(step, i, shared)
            for other in self._number_inputs(step, i):
                dependents[other].append(i)
                if self.decisions[other] != SKIP:
                    self.waits[i] += 1
        self.dependents = [tuple(steps) for steps in dependents]

    def _number_outputs(self, step: Step, i: int, shared: dict[tuple[str, ...], dict[str, int]]) -> None:
        names = tuple([output.name for output in step.outputs])
        for output in step.outputs:
            if output.dynamic:
                raise NotYetSupportedError("DynamicOut")
        places = shared.get(names)
        if places is None:
            places = shared[names] = {name: place for place, name in enumerate(names)}
        self.base.append(len(self.outputs))
        self.names.append(places)
        self.outputs += names
        self.maker += [i] * len(names)

    def _number_inputs(self, step: Step, i: int) -> Collection[int]:
        """Notes what a step needs; returns the steps that it waits for, each once."""
        needs = [self._slot(step, i, edge) for edge in step.after if not self.is_left_out(edge.step)]
        groups: list[tuple[bool, tuple[int, ...]]] = []
        for given in step.inputs:
            source = given.source
            if type(source) is FromStep:
                needs.append(self._slot(step, i, source))
            elif isinstance(source, FromMany):
                edges = [item for item in source.items if isinstance(item, FromStep)]
                if edges:
                    groups.append((len(edges) < len(source.items), tuple(self._slot(step, i, edge) for edge in edges)))
            elif isinstance(source, (FromCollected, FromMapped)):
                raise NotYetSupportedError("DynamicOut")
        if len(needs) == 1 and not groups:  # the commonest case
            self.needs.append((needs[0],))
            self.groups.append(())
            return (self.maker[needs[0]],)
        self.needs.append(tuple(dict.fromkeys(needs)))
        self.groups.append(tuple(groups))
        upstream = {self.maker[slot] for slot in needs}
        upstream.update(self.maker[slot] for _, slots in groups for slot in slots)
        return upstream

    def is_left_out(self, other: int) -> bool:
        """Whether the plan skips a step though it might have outputs: nothing is awaited of it for order's sake."""
        decision = self.plan.steps[other].decision
        return decision.do is Do.SKIP and decision.why != "skipped"

    def _slot(self, step: Step, i: int, edge: FromStep) -> int:
        if not 0 <= edge.step < i:
            raise BrokenPlanError(step.key, f"comes before step {edge.step}, which it needs")
        place = self.names[edge.step].get(edge.output)
        if place is None:
            other = self.plan.steps[edge.step].key
            raise BrokenPlanError(step.key, f"needs the output {edge.output!r}, which {other!r} does not have")
        return self.base[edge.step] + place

    def slot(self, step: int, output: str) -> int | None:
        """The slot of an output; None where the step has no output of this name."""
        place = self.names[step].get(output)
        return None if place is None else self.base[step] + place

    def slots_needed(self, step: int) -> list[int]:
        """Every slot that the step reads or waits for."""
        return [*self.needs[step], *(slot for _, slots in self.groups[step] for slot in slots)]

    def key(self, step: int) -> str:
        """The step's key in the plan."""
        return self.plan.steps[step].key


def compile(plan: Plan) -> Program:  # noqa: A001 - read as `program.compile`
    """The plan as arrays of numbers. Takes time in proportion to steps and edges.

    Raises:
        BrokenPlanError: a step needs one that comes after it, or an output that does not exist.
        NotYetSupportedError: the plan has a fan-out.
    """
    return Program(plan)
