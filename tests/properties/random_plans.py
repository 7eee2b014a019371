"""Random plans: steps of every kind, wired in every way that a plan can be."""

from random import Random

from opgraph.events import Kept, Place, Stored
from opgraph.plan.model import (
    Decision,
    Do,
    FromCollected,
    FromDefault,
    FromMany,
    FromMapped,
    FromStep,
    Gather,
    Plan,
    Retry,
    Role,
    Step,
    StepInput,
    StepOutput,
)


def random_plan(random: Random) -> Plan:
    """Up to twelve steps of every kind: run, reused, skipped, decided; with retries, optional outputs, fan-in, and
    fan-outs, nested and collected at any place."""
    steps: list[Step] = []
    weights = random.choice([[1, 0, 0, 0], [5, 3, 1, 2], [3, 7, 2, 1]])
    whole = random.random() < 0.5  # what is reused has all the outputs that it must have
    dynamic = random.choice([0.0, 0.3, 0.5])
    for i in range(random.randint(0, 12)):
        outputs = tuple(
            StepOutput(
                f"o{n}",
                Role.NEEDED,
                required=random.random() < 0.7,
                dynamic=random.random() < dynamic,
                stream=random.random() < 0.8,
            )
            for n in range(random.randint(0, 3))
        )
        over = random.choice([(), *fans(steps)[-3:]]) if random.random() < 0.8 else ()
        above = sources(steps, over)[-8:]
        inputs = [
            StepInput(f"i{n}", random.choice(above))
            for n in range(random.randint(0, 2))
            if above and random.random() < 0.8
        ]
        if above and random.random() < 0.3:
            items = tuple(random.sample(above, random.randint(1, min(3, len(above)))))
            inputs.append(StepInput("many", FromMany((*items, FromDefault()) if random.random() < 0.2 else items)))
        if (collects := collections(steps, over, random)) and random.random() < 0.7:
            source = random.choice(collects)
            inputs.append(
                random.choice(
                    [StepInput("all", source, nothing=random.random() < 0.2), StepInput("alls", FromMany((source,)))]
                )
            )
        plain = [source for source in above if isinstance(source, FromStep)]
        after = (random.choice(plain),) if plain and random.random() < 0.2 else ()
        do = random.choices([Do.RUN, Do.REUSE, Do.SKIP, Do.DECIDE], weights)[0]
        if over and do == Do.REUSE:
            do = Do.DECIDE
        kept = tuple(k for o in outputs if (whole and o.required) or random.random() < 0.5 for k in stored(o, random))
        decision = Decision(
            do, random.choice(["not needed", "skipped"]), kept=kept if do == Do.REUSE else (), fingerprint="f"
        )
        retry = Retry(random.randint(0, 2), delay=1.0, backoff="exponential") if random.random() < 0.3 else None
        steps.append(
            Step(f"s{i}", f"s{i}", f"s{i}", tuple(inputs), outputs, decision, after=after, over=over, retry=retry)
        )
    return Plan(job="random", steps=tuple(steps))


def fans(steps: list[Step]) -> list[tuple[FromMapped, ...]]:
    return [(*s.over, FromMapped(i, o.name)) for i, s in enumerate(steps) for o in s.outputs if o.dynamic]


def sources(steps: list[Step], over: tuple[FromMapped, ...]) -> list[FromStep | FromMapped]:
    """What a step that is mapped so may read."""
    plain = [
        FromStep(i, o.name)
        for i, step in enumerate(steps)
        if over[: len(step.over)] == step.over
        for o in step.outputs
        if not o.dynamic
    ]
    return [*plain, *over, *over[-1:], *over[-1:]]


def collections(steps: list[Step], over: tuple[FromMapped, ...], random: Random) -> list[FromCollected]:
    found: list[FromCollected] = []
    for i, step in enumerate(steps):
        for output in step.outputs:
            path = (*step.over, FromMapped(i, output.name)) if output.dynamic else step.over
            for depth in range(len(path)):
                if path[:depth] == over[:depth] and path[depth : depth + 1] != over[depth : depth + 1]:
                    levels = tuple(Gather(allow_failed=random.random() < 0.3) for _ in path[depth:])
                    found.append(FromCollected(i, output.name, levels))
    return found


def address(output: str, random: Random, key: str | None = None) -> Kept:
    return Kept("parent", random.randint(1, 99), Stored(output, Place.FILE, data_version=f"v{key}", mapping_key=key))


def stored(output: StepOutput, random: Random) -> list[Kept]:
    if not output.dynamic:
        return [address(output.name, random)]
    return [address(output.name, random, key) for key in random.sample("abc", random.randint(0, 3))]
