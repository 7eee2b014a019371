"""What the engine costs per transition, alone: a chain, a wide fan-in and fan-out, and layers joined each to each.

python -m benchmarks.engine
"""

import statistics
import time
import tracemalloc
from collections import deque

from opgraph.engine import End, Reuse, Skip, Start, advance, new, program
from opgraph.events import AnyFact, Kept, Place, RunStarted, StepReused, StepSkipped, StepStarted, StepSucceeded, Stored
from opgraph.plan.model import Decision, Do, FromMany, FromStep, Plan, Role, Step, StepInput, StepOutput

STEPS = 10_000
ROUNDS = 7
RUN = Decision(Do.RUN, "job")


def step(i: int, above: list[int], decision: Decision = RUN) -> Step:
    items = tuple(FromStep(j, "result") for j in above)
    source = items[0] if len(items) == 1 else FromMany(items)
    inputs = (StepInput("value", source),) if items else ()
    outputs = (StepOutput("result", Role.NEEDED),)
    return Step(key=f"s{i}", node=f"s{i}", op="op", inputs=inputs, outputs=outputs, decision=decision)


def chain(count: int = STEPS) -> list[Step]:
    return [step(i, [i - 1] if i else []) for i in range(count)]


def wide() -> list[Step]:
    """One step, all the others after it, and one that takes all their values."""
    return [step(0, []), *(step(i, [0]) for i in range(1, STEPS - 1)), step(STEPS - 1, list(range(1, STEPS - 1)))]


def layers(width: int = 100, depth: int = 10) -> list[Step]:
    return [
        step(i, list(range(i - i % width - width, i - i % width)) if i >= width else []) for i in range(width * depth)
    ]


def reused() -> list[Step]:
    kept = (Kept("parent", 1, Stored("result", Place.INLINE)),)
    return [step(i, [i - 1] if i else [], Decision(Do.REUSE, "recorded", kept=kept)) for i in range(STEPS)]


def log_of(steps: list[Step]) -> list[AnyFact]:
    """The facts of a run in which every command is carried out at once, in order."""
    state = new(program.compile(Plan(job="bench", steps=tuple(steps))))
    facts: list[AnyFact] = [RunStarted(0.0, 1)]
    commands = deque(advance(state, facts[0]))
    while commands:
        match commands.popleft():
            case Start(i, attempt):
                new_facts: list[AnyFact] = [
                    StepStarted(i, attempt, 0.0),
                    StepSucceeded(i, attempt, 0.0, 1, 2, 3, (Stored("result", Place.INLINE, 5, "0" * 32),)),
                ]
            case Reuse(i, kept):
                new_facts = [StepReused(i, 0.0, kept)]
            case Skip(i, because, output, blocked):
                new_facts = [StepSkipped(i, 0.0, because, output, blocked)]
            case _:
                new_facts = []
        for fact in new_facts:
            facts.append(fact)
            commands.extend(advance(state, fact, len(facts)))
    return facts


def measured(steps: list[Step]) -> tuple[float, float, float]:
    """Seconds: a transition, a step, compiling the plan."""
    plan = Plan(job="bench", steps=tuple(steps))
    facts = log_of(steps)
    compiling, running = [], []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        compiled = program.compile(plan)
        compiling.append(time.perf_counter() - before)
        state = new(compiled)
        before = time.perf_counter()
        for seq, fact in enumerate(facts, 1):
            commands = advance(state, fact, seq)
        running.append(time.perf_counter() - before)
        assert isinstance(commands[-1], End)
    total = statistics.median(running)
    return total / len(facts), total / len(steps), statistics.median(compiling)


def measure(name: str, steps: list[Step]) -> None:
    edges = sum(len(getattr(given.source, "items", (1,))) for each in steps for given in each.inputs)
    transition, step, compiling = measured(steps)
    print(
        f"{name:28} {len(steps):6} steps {edges:7} edges  transition {transition * 1e6:5.2f} µs"
        f"  step {step * 1e6:6.2f} µs  per step and edge {step * len(steps) / (len(steps) + edges) * 1e6:5.2f} µs"
        f"  compile {compiling * 1e3:6.1f} ms"
    )


def memory() -> None:
    steps = chain()
    facts = log_of(steps)
    compiled = program.compile(Plan(job="bench", steps=tuple(steps)))
    tracemalloc.start()
    state = new(compiled)
    for seq, fact in enumerate(facts, 1):
        advance(state, fact, seq)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(f"state of a finished step: {grown / len(steps):.0f} bytes, beside what its `Stored` takes")


def main() -> None:
    measure("chain", chain())
    measure("chain, ten times as long", chain(10 * STEPS))
    measure("one to many to one", wide())
    measure("layers of 100, each to each", layers())
    measure("chain, all reused", reused())
    memory()


if __name__ == "__main__":
    main()
