"""Drives one run: asks the engine what to do, does it, records what happened, tells the engine.

The facts of a step's end and of the next step's start are committed together, before the next step's function is
called: one transaction a step, and at no time does a function run whose start is not recorded.
"""

import heapq
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from opgraph.engine import (
    Command,
    Delay,
    End,
    LookUp,
    Reuse,
    Skip,
    Start,
    State,
    Stop,
    advance,
    can_be_made_again,
    new,
)
from opgraph.engine import program as programs
from opgraph.engine.retry import failures
from opgraph.errors import Error, RecordError
from opgraph.events import (
    AnyFact,
    CancelRequested,
    ErrorInfo,
    Found,
    Kept,
    NotFound,
    OutputStored,
    RetryDue,
    RunEnded,
    RunStarted,
    RunStatus,
    StepFailed,
    StepInterrupted,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    ValueLost,
)
from opgraph.plan.model import Plan, Policy
from opgraph.record.store import Writer
from opgraph.run.attempt import Attempts, NotRecorded
from opgraph.run.binding import BoundStep
from opgraph.run.captured import Captured
from opgraph.run.context import RunSide
from opgraph.run.failure import error_info
from opgraph.run.hooks import with_hooks
from opgraph.run.loop import EventLoop
from opgraph.run.memo import LookUps
from opgraph.run.shelf import Lost, Shelf
from opgraph.run.sources import Sources
from opgraph.run.stopping import Stopping

Listener = Callable[[int, AnyFact], None]
LookUpPast = Callable[[State, int], tuple[tuple[Kept, ...] | None, str]]
_now = time.time
_MOST_UNRECORDED = 100  # values of a fan-out that nothing takes yet


class Driver:
    """Drives a run in this process until nothing is left to do.

    Args:
        plan: the run's plan.
        steps: the same, bound to code.
        writer: the run's log; its lease is held.
        past: facts recorded in earlier epochs, in order.
        shelf: values.
        side: what the contexts have in common.
        said: what the steps say.
        given: values for inputs that the caller provides.
        listeners: told of every fact once it is recorded.
        lookup: finds the stored values that stand for a step, or says why there are none.
        look_ups: knows which stored values have a fingerprint.
    """

    def __init__(
        self,
        plan: Plan,
        steps: Sequence[BoundStep],
        writer: Writer,
        past: Iterable[tuple[int, AnyFact]],
        shelf: Shelf,
        side: RunSide,
        said: Captured,
        given: Mapping[str, Any],
        listeners: Sequence[Listener] = (),
        lookup: LookUpPast | None = None,
        *,
        look_ups: LookUps,
    ) -> None:
        self.state: State = new(programs.compile(plan), writer.run_id)
        self._steps, self._writer, self._shelf, self._said, self._listeners = steps, writer, shelf, said, listeners
        self._look_ups, self._side = look_ups, side
        self._planned = len(plan.steps)  # what is numbered from here on is mapped
        self._loop = EventLoop()
        policy = plan.besides[0].policy if plan.besides else Policy.MATERIALIZE
        self._attempts = Attempts(shelf, side, said, self._loop, Sources(self.state), given, policy, plan.selection)
        for seq, fact in past:
            advance(self.state, fact, seq)
        self._facts: list[AnyFact] = []  # not recorded yet
        self._values: list[bytes | None] = []
        self._durable = False
        self._ready: list[int] = []  # steps to start, lowest number first
        self._mapped: list[int] = []  # the same of those that were made for a fan-out
        self._delayed: list[tuple[float, int]] = []
        self._answers: deque[AnyFact] = deque()
        self._next = writer.next_seq
        self._under_way: set[int] = set()  # the steps that are being attempted: one, and generators that wait for it
        self.failures: dict[int, StepFailed] = {}  # by step: its last attempt, where that failed
        self._canceled = False
        self._stopping = Stopping(writer.run_id)
        self._lookup = lookup or _nothing_known

    @property
    def errors(self) -> Mapping[int, BaseException]:
        """The exceptions of failed steps, by step."""
        return self._attempts.errors

    def drive(self) -> RunStatus:
        """Go on until the run has ended.

        Raises:
            SupersededError: another process took the run over; nothing more was written.
            UnusableRecordError: the record refused; the run can be resumed.
        """
        with self._stopping as stopping, self._said:
            try:
                self._tell(RunStarted(_now(), self._writer.epoch, os.getpid(), socket.gethostname()))
                while self.state.final is None:
                    if stopping.asked and not self._canceled:
                        self._cancel(stopping.asked)
                    elif self._delayed and self._delayed[0][0] <= _now():
                        self._tell(RetryDue(heapq.heappop(self._delayed)[1], _now()))
                    elif self._ready or self._mapped:
                        self._run(heapq.heappop(self._ready or self._mapped), stopping)
                    elif self._delayed:
                        self._wait(stopping)
                    else:
                        raise StuckRun(self._writer.run_id)
                self._commit()
            finally:
                self._loop.close()
        assert self.state.final is not None
        return self.state.final

    # -- one step ---------------------------------------------------------------------

    def _run(self, number: int, stopping: Stopping) -> None:
        bound = self._bound(number)
        attempt = self.state.attempts[number]
        self._tell(StepStarted(number, attempt, _now()))
        self._commit()
        asked = self.state.asked(number) if self.state.wanted else None
        self._under_way.add(number)
        stopping.doing = bound.step.key
        try:
            stopping.in_user_code = True
            if stopping.asked:
                raise KeyboardInterrupt(stopping.asked)
            count = failures(self.state, number) if self.state.uncounted else attempt
            fact, blob = self._attempts.make(bound, attempt, asked, self._emit, count)
            stopping.in_user_code = False
            self._under_way.discard(number)
        except KeyboardInterrupt as interrupt:
            stopping.in_user_code = False
            if not self._canceled:
                self._cancel(str(interrupt) or "KeyboardInterrupt")
            self._under_way.discard(number)
            self._tell(StepInterrupted(number, attempt, _now(), "cancelled"))
            return
        except Lost as lost:
            stopping.in_user_code = False
            self._under_way.discard(number)
            self._lose(bound, attempt, lost)
            return
        except NotRecorded as refused:
            raise refused.cause from refused.cause.__cause__
        if type(fact) is StepSucceeded:
            for stored in fact.outputs:
                if stored.asset is not None:
                    self._durable = True
            if self.failures:
                self.failures.pop(number, None)
        elif type(fact) is StepFailed:
            self.failures[number] = fact
        self._tell(fact, blob)

    def _lose(self, bound: BoundStep, attempt: int, lost: Lost) -> None:
        """A value of another step is gone: that one runs again, once; otherwise this step fails."""
        number = bound.number
        if can_be_made_again(self.state, lost.step, lost.output, lost.mapping_key):
            self._tell(ValueLost(lost.step, lost.output, _now(), lost.mapping_key))
            self._tell(StepInterrupted(number, attempt, _now(), f"waits for the lost value {lost.output!r}"))
        else:
            self._attempts.errors[number] = lost.cause
            failed = StepFailed(number, attempt, _now(), _beyond_retry(lost))
            self.failures[number] = with_hooks(failed, bound, self._side, error=lost.cause)
            self._tell(self.failures[number])

    def _cancel(self, by: str) -> None:
        self._canceled = True
        self._ready.clear()
        self._mapped.clear()
        self._delayed.clear()
        self._tell(CancelRequested(_now(), by))

    def _wait(self, stopping: Stopping) -> None:
        """Wait until the next retry is due, and not past a signal."""
        due, _ = self._delayed[0]
        self._commit()
        while (left := due - _now()) > 0 and not stopping.asked:
            time.sleep(min(left, 0.1))

    # -- facts and commands -----------------------------------------------------------

    def _emit(self, fact: AnyFact, blob: bytes | None) -> None:
        """A fact that happened while a step goes on: recorded at once, whole even if a signal comes meanwhile."""
        with self._stopping.held():
            if isinstance(fact, OutputStored) and fact.stored.mapping_key is not None:
                self._emit_element(fact, blob)
                return
            self._tell(fact, blob)
            self._durable = self._durable or isinstance(fact, OutputStored)
            try:
                self._commit()
            except RecordError as error:
                raise NotRecorded(error) from error

    def _emit_element(self, fact: OutputStored, blob: bytes | None) -> None:
        """A value of a fan-out: the steps that it makes possible run now, while the generator waits.

        So values never pile up, and a chain inside one key comes before the next key. The fact is recorded together
        with the start of the first of these steps.
        """
        others, self._mapped = self._mapped, []
        try:
            self._tell(fact, blob)
            while self._mapped and not self._stopping.asked and not self._canceled:
                self._run(heapq.heappop(self._mapped), self._stopping)
            if len(self._facts) >= _MOST_UNRECORDED:
                self._commit()
        except RecordError as error:
            raise NotRecorded(error) from error
        finally:
            for number in others:
                heapq.heappush(self._mapped, number)
        if self._canceled and not self._stopping.asked:
            raise KeyboardInterrupt("cancelled")

    def _bound(self, number: int) -> BoundStep:
        """A step with its code."""
        if number < len(self._steps):
            return self._steps[number]
        return self._steps[self.state.template[number]].mapped(number, self.state.key(number))

    def _tell(self, fact: AnyFact, blob: bytes | None = None) -> None:
        answers = self._answers
        while True:
            seq = self._next
            self._next = seq + 1
            self._facts.append(fact)
            self._values.append(blob)
            if blob is not None:
                self._shelf.remember(seq, blob)
            for command in advance(self.state, fact, seq):
                self._obey(command)
            if not answers:
                return
            fact, blob = answers.popleft(), None

    def _obey(self, command: Command) -> None:
        match command:
            case Start():
                heapq.heappush(self._ready if command.step < len(self._steps) else self._mapped, command.step)
            case Reuse():
                planned = command.step < self._planned  # mapped steps are reused from the parent run only
                current = planned and self.state.program.plan.steps[command.step].decision.why != "recorded"
                self._answers.append(StepReused(command.step, _now(), command.kept, current))
                self._durable = self._durable or (current and any(k.stored.asset is not None for k in command.kept))
            case Skip():
                self._answers.append(
                    StepSkipped(command.step, _now(), command.because, command.output, command.blocked)
                )
            case LookUp():
                if command.step < self._planned:
                    self._answers.append(self._look_ups.answer(command.step, self.state.kept))
                    return
                kept, why = self._lookup(self.state, command.step)
                if kept is None:
                    self._answers.append(NotFound(command.step, _now(), why))
                else:
                    self._answers.append(Found(command.step, _now(), kept, why))
            case Delay():
                heapq.heappush(self._delayed, (_now() + command.seconds, command.step))
            case Stop():
                if command.step not in self._under_way:  # told to start, and not begun: only one is under way at a time
                    self._answers.append(StepInterrupted(command.step, command.attempt, _now(), "cancelled"))
            case End():
                self._answers.append(RunEnded(_now(), command.status))

    def _commit(self) -> None:
        lines = self._said.drain()
        facts = self._facts
        if not facts and not lines:
            return
        first = self._writer.append(facts, self._values, lines, durable=self._durable)
        if self._listeners:
            for seq, fact in enumerate(facts, first):
                for listener in self._listeners:
                    listener(seq, fact)
        self._facts, self._values, self._durable = [], [], False


def _nothing_known(_state: State, _step: int) -> tuple[None, str]:
    return None, "new"


class StuckRun(Error):
    """The engine waits for something that nobody does."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run {run_id} has nothing left to do and has not ended", fix="this is a mistake of opgraph's: report it"
        )


def _beyond_retry(lost: Lost) -> ErrorInfo:
    """The error of a step that needs a value which cannot be had: another attempt would not find it either."""
    return msgspec.structs.replace(error_info(lost.cause, during="load", about=lost.output), retry=False)
