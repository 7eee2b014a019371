"""What the engine knows of a run: a few numbers for each step. Owned by exactly one driver."""

from array import array

from opgraph.engine.commands import Command
from opgraph.engine.phases import Course, Phase
from opgraph.engine.program import SKIP, Program
from opgraph.events import Kept, RunStatus, Stored

FACT_BITS = 4  # of a trail entry: which class of fact


class State:
    """A run, as far as its facts tell. Read it through its methods; only the engine changes it.

    Args:
        program: the compiled plan.
        run: the run's id, for the addresses that `kept` gives.

    Example:
        >>> from opgraph.engine import program
        >>> from opgraph.plan.model import Plan
        >>> state = State(program.compile(Plan(job="empty", steps=())))
        >>> status(state)
        <RunStatus.NOT_STARTED: 'NOT_STARTED'>
    """

    __slots__ = (
        "asking",
        "attempts",
        "beyond",
        "course",
        "cut",
        "decisions",
        "epoch",
        "failed",
        "final",
        "interrupted",
        "late",
        "left",
        "lost",
        "phases",
        "program",
        "run",
        "seqs",
        "trail",
        "uncounted",
        "values",
        "waits",
        "wanted",
    )

    def __init__(self, program: Program, run: str = "") -> None:
        count = len(program.decisions)
        self.program = program
        self.run = run
        self.course = Course.NEW
        self.epoch = 0
        self.final: RunStatus | None = None
        # by step
        self.phases = bytearray(Phase.SKIPPED if do == SKIP else Phase.WAITING for do in program.decisions)
        self.decisions = bytearray(program.decisions)  # RUN, once it is known that a step must run
        self.attempts = [0] * count
        self.waits = program.waits.copy()  # upstream steps that have not ended
        # by slot
        self.values: list[Stored | Kept | None] = [None] * len(program.outputs)
        self.seqs = array("q", bytes(8 * len(program.outputs)))  # the fact that announced a value of this run
        # the run as a whole
        self.left = count - program.decisions.count(SKIP)  # steps that have not ended
        self.failed = 0  # steps that failed or are blocked
        self.cut = 0  # steps that a cancellation kept from their own end
        self.trail = array("q")  # every fact: its step and its class
        # of the few steps to which something unusual happens
        self.asking: dict[int, Command] = {}  # an unanswered Reuse, Skip, LookUp or Delay
        self.uncounted: dict[int, int] = {}  # attempts that ended without a verdict: they use up no retry
        self.interrupted: dict[int, int] = {}  # how many of them in this epoch
        self.wanted: dict[int, set[str]] = {}  # outputs to make again, of steps that had ended (loss.py)
        self.late: dict[int, set[str]] = {}  # the same, found missing when the new attempt was already under way
        self.lost: set[int] = set()  # slots lost in this epoch
        self.beyond: set[int] = set()  # slots lost twice

    def phase(self, step: int) -> Phase:
        """Where the step stands."""
        return Phase(self.phases[step])

    def attempt(self, step: int) -> int:
        """The number of the latest attempt, from 1; 0 before the first."""
        return self.attempts[step]

    def kept(self, step: int, output: str) -> Kept | None:
        """The address of an output's value; None while it has not come, or where it was lost.

        Raises:
            KeyError: the step has no such output.
        """
        program = self.program
        slot = program.base[step] + program.names[step][output]
        value = self.values[slot]
        return Kept(self.run, self.seqs[slot], value) if isinstance(value, Stored) else value

    def asked(self, step: int) -> frozenset[str] | None:
        """The outputs to make again because they were lost; None: all that the plan selects."""
        wanted = self.wanted.get(step)
        return None if wanted is None else frozenset(wanted)

    def story(self, step: int) -> list[tuple[int, int]]:
        """The facts about a step: the number of each among the run's facts, and that of its class (story.py)."""
        mask = (1 << FACT_BITS) - 1
        return [(i, entry & mask) for i, entry in enumerate(self.trail, 1) if entry >> FACT_BITS == step]


def new(program: Program, run: str = "") -> State:
    """The state of a run to which nothing has happened yet."""
    return State(program, run)


def verdict(state: State) -> RunStatus:
    """How the run ends, when all its steps have ended."""
    if state.cut:
        return RunStatus.CANCELED
    return RunStatus.FAILURE if state.failed else RunStatus.SUCCESS


def status(state: State) -> RunStatus:
    """Where the run stands. Until RunEnded it is STARTED or CANCELING, even when all steps have ended."""
    if state.final is not None:
        return state.final
    if state.course == Course.NEW:
        return RunStatus.NOT_STARTED
    return RunStatus.CANCELING if state.course == Course.CANCELING or state.cut else RunStatus.STARTED
