"""What the engine knows of a run: a few numbers for each step. Owned by exactly one driver."""

from array import array
from bisect import bisect_right

from opgraph.engine.commands import Command
from opgraph.engine.packed import Packed, Shape
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
        "above", "asking", "attempts", "base", "beyond", "course", "cut", "decisions", "dying", "elements", "epoch",
        "failed", "final", "first", "gone", "interrupted", "keys", "late", "left", "live", "lost", "maker", "packed",
        "phases", "program", "run", "seqs", "template", "torn", "torn_versions", "trail", "uncounted", "values",
        "waits", "wanted", "withdrawn", "within", "yielded",
    )  # fmt: skip

    def __init__(self, program: Program, run: str = "") -> None:
        count = len(program.decisions)
        self.program = program
        self.run = run
        self.course = Course.NEW
        self.epoch = 0
        self.final: RunStatus | None = None
        # by step
        self.phases = bytearray(Phase.SKIPPED if do == SKIP else Phase.WAITING for do in program.decisions)
        for step, over in enumerate(program.over) if program.fans else ():
            if over:
                self.phases[step] = Phase.SKIPPED  # it never runs itself
        self.decisions = bytearray(program.decisions)  # RUN, once it is known that a step must run
        self.attempts = array("i", bytes(4 * count))
        self.waits = array("i", program.waits)  # upstream steps that have not ended, and elements that were lost
        self.template = array("i", range(count))  # the step of the plan of which it is made
        self.within = array("i", bytes(4 * count))  # the element in which it stands
        self.base = array("i", program.base)  # the slot of its first output
        # by element: a value of a fan-out; element 0 is the run itself
        self.above = array("i", [-1])  # the element in which its generator stands
        self.first = array("i", [0])  # the first of the steps that were made for it
        self.keys: list[str] = [""]
        self.elements = array("i", [-1])  # the slot of its value
        self.yielded = array("i", [0])  # the attempt of its generator that last yielded it
        self.gone = bytearray(1)  # whether it was withdrawn
        self.live: dict[int, dict[str, int]] = {}  # by the generator's slot: the elements, in the order of the attempt
        # by slot
        self.values: list[Stored | Kept | Shape | None] = [None] * len(program.outputs)  # read them by `at`
        self.packed = Packed(len(program.outputs))
        self.seqs = array("q", bytes(8 * len(program.outputs)))  # the fact that announced a value of this run
        self.maker = array("i", program.maker)
        # the run as a whole
        self.left = count - self.phases.count(Phase.SKIPPED)  # steps that have not ended
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
        self.withdrawn: list[int] = []  # steps whose element was withdrawn
        self.dying: set[int] = set()  # those of them that are still under way
        self.torn: dict[int, set[int]] = {}  # by generator: its elements whose values were lost
        self.torn_versions: dict[int, str] = {}  # and the data versions that they had

    def phase(self, step: int) -> Phase:
        """Where the step stands."""
        return Phase(self.phases[step])

    def attempt(self, step: int) -> int:
        """The number of the latest attempt, from 1; 0 before the first."""
        return self.attempts[step]

    def kept(self, step: int, output: str, mapping_key: str | None = None) -> Kept | None:
        """The address of an output's value; None while it has not come, or where it was lost.

        Raises:
            KeyError: the step has no such output, or did not yield that key.
        """
        if mapping_key is None:
            return self.at(self.base[step] + self.program.names[self.template[step]][output])
        slot = self.slot(step, output, mapping_key)
        if slot is None:
            raise KeyError(mapping_key)
        return self.at(slot)

    def at(self, slot: int) -> Kept | None:
        """The address of the value at a slot."""
        value = self.values[slot]
        if isinstance(value, Stored):
            return Kept(self.run, self.seqs[slot], value)
        if isinstance(value, Shape):
            stored = self.packed.last(slot)
            if stored is None:
                element = self.element_at(slot)
                stored = self.packed.unpack(slot, value, self.keys[element] if element else None)
            return Kept(self.run, self.seqs[slot], stored)
        return value

    def hold(self, slot: int, value: Stored | Kept, seq: int) -> None:
        """Keep the value of a slot that a fan-out added."""
        self.values[slot] = self.packed.pack(slot, value)
        self.seqs[slot] = seq

    def version_at(self, slot: int) -> str:
        """The data version of the value at a slot; empty: as good as unique, or there is none."""
        value = self.values[slot]
        if isinstance(value, Shape):
            return self.packed.version(slot, value)
        if value is None:
            return ""
        return value.stored.data_version if isinstance(value, Kept) else value.data_version

    def slot(self, step: int, output: str, mapping_key: str | None = None) -> int | None:
        """The slot of an output, or of one value of a fan-out; None where there is none."""
        place = self.program.names[self.template[step]].get(output)
        if place is None:
            return None
        slot = self.base[step] + place
        if mapping_key is None:
            return slot
        element = self.live.get(slot, {}).get(mapping_key)
        return None if element is None else self.elements[element]

    def element_at(self, slot: int) -> int:
        """The element whose value is at a slot; 0: the slot is an output's."""
        if slot < len(self.program.outputs):
            return 0
        element = bisect_right(self.elements, slot) - 1
        return element if self.elements[element] == slot else 0

    def output_at(self, slot: int) -> str:
        """The name of the output at a slot, also of one value of a fan-out."""
        program = self.program
        if slot < len(program.outputs):
            return program.outputs[slot]
        maker = self.maker[slot]
        template = self.template[maker]
        element = self.element_at(slot)
        if not element:
            return program.outputs[program.base[template] + slot - self.base[maker]]
        return program.outputs[self.fan_of(element)]

    def fan_of(self, element: int) -> int:
        """The fan of which an element is a value."""
        made = self.first[element]
        return self.program.over[self.template[made]][-1] if made >= 0 else -1 - made

    def key(self, step: int) -> str:
        """The step's key: that in the plan, and the mapping keys of the elements around it, outermost first."""
        key = self.program.plan.steps[self.template[step]].key
        element = self.within[step]
        inside = ""
        while element:
            inside = f"[{self.keys[element]}]{inside}"
            element = self.above[element]
        return key + inside

    def mapping_keys(self, step: int) -> tuple[str, ...]:
        """The mapping keys of the elements in which a step stands, outermost first."""
        found: list[str] = []
        element = self.within[step]
        while element:
            found.append(self.keys[element])
            element = self.above[element]
        return tuple(reversed(found))

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
