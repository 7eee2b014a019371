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

from opgraph.declare.project.executor import ExecutorChoice, in_process_executor
from opgraph.engine import Command, Phase, Start, State, advance, can_be_made_again, commands, new
from opgraph.engine import program as programs
from opgraph.engine.retry import failures
from opgraph.errors import RecordError
from opgraph.events import (
    AnyFact,
    CancelRequested,
    ErrorInfo,
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
    StepWaits,
    ValueLost,
)
from opgraph.plan.code import imported_hash
from opgraph.plan.model import Plan, Policy
from opgraph.record.store import Pools, Writer
from opgraph.run.call.binding import BoundStep
from opgraph.run.call.context import RunSide
from opgraph.run.captured import Captured
from opgraph.run.driving.delays import Delays
from opgraph.run.driving.journal import Journal, Listener
from opgraph.run.driving.limits import NEVER, Limits, Wish, is_late
from opgraph.run.driving.pools import POLL, Slots
from opgraph.run.driving.queue import Queue, StuckRun
from opgraph.run.driving.windows import WINDOW, Windows
from opgraph.run.executors.choose import open_executor
from opgraph.run.executors.in_process import InProcess
from opgraph.run.executors.mistakes import RunTimedOut, StepTimedOut, WorkerDied
from opgraph.run.executors.protocol import (
    LANES,
    Begun,
    Died,
    Dropped,
    Ended,
    Executor,
    Happened,
    Missing,
    Order,
    Report,
    Stopped,
    Task,
    is_value_of_fan,
)
from opgraph.run.failure import bare_info, error_info
from opgraph.run.step.attempt import Attempts, NotRecorded
from opgraph.run.step.hooks import with_hooks
from opgraph.run.step.retries import judged
from opgraph.run.stopping import Stopping
from opgraph.run.store.lookup import LookUps
from opgraph.run.store.memo import Notes
from opgraph.run.store.shelf import Shelf
from opgraph.run.store.sources import Sources

_now, _clock = time.time, time.monotonic
_TICK = 0.1  # seconds: no longer does the driver wait for a report without looking at anything else
_STARTING = int(Phase.STARTING)  # in a name of its own: to ask an enum for a member takes time
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
        look_ups: finds the stored values that stand for a step, or says why there are none.
        executor: who makes the attempts.
        timeout: seconds that the run may take; None: as long as it likes.
        canceled: tells who asked for the run to be cancelled, from outside this process; "": nobody.
        pools: where the slots of pools are; None: no step needs one.
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
        *,
        look_ups: LookUps,
        executor: ExecutorChoice = in_process_executor,
        timeout: float | None = None,
        canceled: Callable[[], str] = str,
        pools: Pools | None = None,
    ) -> None:
        self.state: State = new(programs.compile(plan), writer.run_id)
        self._steps, self._writer, self._shelf, self._said = steps, writer, shelf, said
        self._look_ups, self._side = look_ups, side
        self._planned = len(plan.steps)  # what is numbered from here on is mapped
        policy = plan.besides[0].policy if plan.besides else Policy.MATERIALIZE
        self._sources = Sources(self.state)
        self._attempts = Attempts(shelf, side, said, steps, self._sources, given, policy, plan.selection)
        self.notes = Notes(shelf.record, self._sources, lambda step: imported_hash(steps[step].op.body.fn))
        self._notes = self.notes if self.notes.any else None
        for seq, fact in past:
            advance(self.state, fact, seq)
            if self._notes is not None:
                self._notes.see(fact)
        self._journal = Journal(writer, said, self._notes, listeners)
        self._queue: Queue  # the steps to start
        self._delayed = Delays()
        self._answers: deque[AnyFact] = deque()
        self._next = writer.next_seq
        self._here: InProcess  # the executor, where it is this one
        self._places = [0] * LANES  # how many attempts more may begin
        self._under_way: dict[int, Task] = {}  # attempts handed to the executor that have not ended
        self._given_up: set[tuple[int, int]] = set()  # attempts that ended without a word of their own
        self._windows = Windows()
        self.failures: dict[int, StepFailed] = {}  # by step: its last attempt, where that failed
        self.errors: dict[int, BaseException] = {}  # the exceptions of failed steps, where they are at hand
        self._canceled, self.canceled_by = False, ""
        self._stopping, self._choice, self._asked = Stopping(writer.run_id), executor, canceled
        self._limits = Limits(timeout)
        self._pools = pools if any(step.pools for step in plan.steps) else None
        self._slots: Slots | None = None
        self._run_timed_out, self._next_look = False, 0.0

    def drive(self) -> RunStatus:
        """Go on until the run has ended.

        Raises:
            SupersededError: another process took the run over; nothing more was written.
            UnusableRecordError: the record refused; the run can be resumed.
        """
        with self._stopping as stopping, self._said:
            executor = open_executor(self._choice, self._attempts, self._emit, stopping, self._look)
            self._executor: Executor = executor
            self._limits.begin(_clock())
            if self._pools is not None:
                self._slots = Slots(self._pools, self.state.program.plan.steps, nests=not executor.apart)
            self._queue = Queue(self.state, executor, self._slots)
            try:
                self._tell(RunStarted(_now(), self._writer.epoch, os.getpid(), socket.gethostname()))
                state = self.state
                if not executor.ready:
                    self._get_ready()
                self._places = [executor.places(lane) for lane in range(LANES)]
                if isinstance(executor, InProcess):
                    self._here = executor
                    self._drive_here(stopping)
                while state.final is None:
                    if stopping.asked and not self._canceled:
                        self._cancel(stopping.asked)
                    self._start_ready()
                    if self._under_way:
                        for report in executor.reports(self._limits.patience(_TICK, _clock())):
                            self._take(report)
                        now = _clock()
                        if now >= self._next_look or now >= self._limits.soonest:
                            self._watch_the_clock(now)
                    elif self._slots is not None and self._slots.waiting:
                        self._wait_for_slots()
                    elif self._delayed:
                        self._wait(stopping)
                    elif state.final is None and not any(self._queue.lanes):
                        raise StuckRun(self._writer.run_id)
                self._journal.commit()
            except NotRecorded as refused:
                raise refused.cause from refused.cause.__cause__
            finally:
                executor.close()
                if self._slots is not None:
                    self._slots.close()
        assert self.state.final is not None
        return self.state.final

    def _get_ready(self) -> None:
        """Wait for the executor's workers, as long as the run may go on."""
        self._journal.commit()
        while not (self._executor.ready or self._stopping.asked or self._is_over_time()):
            self._executor.reports(self._limits.patience(_TICK, _clock()))
            self._look()

    # -- steps ------------------------------------------------------------------------

    def _start_ready(self) -> None:
        """Hand over what there are places for; what happened so far and these starts are one transaction."""
        if self._windows.waiting:
            self._let_generators_go_on()
        tasks: list[Task] = []
        for lane in range(LANES):
            while self._places[lane] > 0 and (number := self._queue.next(lane)) is not None:
                if self.state.phases[number] == Phase.STARTING:  # else it was withdrawn, or waits again, meanwhile
                    self._places[lane] -= 1
                    tasks.append(self._task(number, lane))
                else:
                    self._queue.free(number)
        self._journal.commit()
        for task in tasks:
            self._begin(task)

    def _drive_here(self, stopping: Stopping) -> None:
        """Where attempts are made in this thread: one after the other, until the run has ended."""
        state, ready, limits = self.state, self._queue.lanes, self._limits
        while state.final is None:
            if stopping.asked and not self._canceled:
                self._cancel(stopping.asked)
            elif limits.soonest is not NEVER and _clock() >= limits.soonest:
                self._watch_the_clock(_clock())
            elif self._slots is not None and (number := self._slots.next(0)) is not None:
                self._run(number)
            elif ready[0]:
                self._run(heapq.heappop(ready[0]))
            elif self._slots is not None and self._slots.waiting:
                self._wait_for_slots()
            elif self._delayed:
                self._journal.commit()
                self._wait(stopping)
            else:
                raise StuckRun(self._writer.run_id)

    def _run(self, number: int) -> None:
        """Make an attempt in this thread. What an ordinary one needs is written out: it is what short ops wait for."""
        state = self.state
        if state.phases[number] != _STARTING:  # it was withdrawn, or waits again, since it was told to start
            self._queue.free(number)
            return
        attempt = state.attempts[number]
        template, bound = (number, self._steps[number]) if number < self._planned else self._bound(number)
        self._tell(StepStarted(number, attempt, _now()))
        self._journal.commit()
        limit = bound.step.timeout
        limits = self._limits
        if limit is not None or limits.run_due is not NEVER:
            limit = limits.seconds_for(limit, _clock())
        asked = state.asked(number) if state.wanted else None
        count = failures(state, number) if state.uncounted else attempt
        task = self._under_way[number] = Task(number, attempt, asked, bound, template, 0, count, None, limit)
        if limit is not None:
            limits.set(task, limit, _clock())
        self._stopping.doing = bound.step.key
        report = self._here.make(task)
        if self._stopping.asked and not self._canceled:  # before its end is told, which may be the run's
            self._cancel(self._stopping.asked)
        if type(report) is Ended and type(report.fact) is StepSucceeded and not limits.wishes and not self.failures:
            del self._under_way[number]
            if self._slots is not None:
                self._slots.free(number)
            for stored in report.fact.outputs:
                self._journal.durable |= stored.asset is not None
            self._tell(report.fact, report.blob)
        else:
            self._take(report)

    def _begin(self, task: Task) -> None:
        self._under_way[task.step], self._stopping.doing = task, task.bound.step.key
        there = self._executor.start(task)
        if task.limit is not None:
            self._limits.begun(task, _clock(), there=there)

    def _let_generators_go_on(self) -> None:
        """Those that wait, where few mapped steps are left to start and there is a place for the generator."""
        for number, lane in self._windows.due(self._queue.mapped):
            if self._places[lane] > 0 and (self._slots is None or self._slots.take(number)):
                self._places[lane] -= 1
                self._windows.go_on(number)
                self._executor.order(number, self._under_way[number].attempt, Order.MORE)

    def _is_over(self, number: int) -> Wish | None:
        """An attempt has ended. Returns what was wanted of it."""
        task = self._under_way.pop(number)
        self._queue.free(number)
        if self._executor.apart and self._windows.over(number):
            self._places[task.lane] += 1
        return self._limits.over(number)

    def _task(self, number: int, lane: int) -> Task:
        state = self.state
        attempt = state.attempts[number]
        self._tell(StepStarted(number, attempt, _now()))
        template, bound = self._bound(number)
        taken, limit = self._sources.taken(number, bound.step), self._limits.seconds_for(bound.step.timeout, _clock())
        asked = state.asked(number) if state.wanted else None
        window = WINDOW if self._executor.places(lane) > 1 else 1
        count = failures(state, number)
        return Task(number, attempt, asked, bound, template, lane, count, taken, limit, window)

    def _bound(self, number: int) -> tuple[int, BoundStep]:
        """A step with its code, and the step of the plan of which it is made."""
        if number < self._planned:
            return number, self._steps[number]
        template = self.state.template[number]
        return template, self._steps[template].mapped(number, self.state.key(number))

    def _take(self, report: Report) -> None:
        if isinstance(report, Ended):
            number = (fact := report.fact).step
            if not self._is_current(number, fact.attempt):
                self._too_late(report)
                return
            wish = self._is_over(number)
            if wish is not None and is_late(wish, fact, None if self._executor.apart else self._here.was_late):
                self._shelf.remove(() if type(fact) is StepFailed else fact.outputs)
                self._time_is_up(wish, fact.error if type(fact) is StepFailed else None)
                return
            if type(fact) is StepSucceeded:
                self._journal.durable |= any(stored.asset is not None for stored in fact.outputs)
                self.failures.pop(number, None)
            elif type(fact) is StepFailed:
                self.failures[number] = fact
                if report.error is not None:
                    self.errors[number] = report.error
            self._tell(fact, report.blob)
        elif isinstance(report, Happened):
            fact: Any = report.fact
            if self._is_current(fact.step, fact.attempt):
                self._tell(fact, report.blob)
                if type(fact) is OutputStored:
                    self._journal.durable = self._journal.durable or fact.stored.asset is not None
                    if self._executor.apart and is_value_of_fan(fact):
                        self._count(fact.step)
        elif isinstance(report, Begun):
            if self._is_current(report.step, report.attempt):
                self._limits.begun(self._under_way[report.step], _clock())
        else:
            self._take_odd(report)

    def _take_odd(self, report: Missing | Stopped | Died | Dropped) -> None:
        """An end that is neither success nor failure of the step's own making."""
        number, attempt = report.step, report.attempt
        if not self._is_current(number, attempt):
            return
        task, wish = self._under_way[number], self._limits.wishes.get(number)
        if isinstance(report, Stopped) and not (wish is not None and (wish.why or _clock() >= wish.due)):
            if not (self._stopping.asked or self._canceled):  # nobody stopped it: its code raised KeyboardInterrupt
                self._is_over(number)
                self._fail(task, KeyboardInterrupt(report.error.message), report.error)
                return
            wish = None
            if not self._canceled:  # Ctrl-C in the driver's own thread
                self._cancel(self._stopping.asked)
        self._is_over(number)
        self._given_up.add((number, attempt))
        match report:
            case Missing():
                self._lose(task, report)
            case Stopped():
                if wish is not None and wish.why != "cancel":
                    self._time_is_up(wish, report.error)
                else:
                    self._tell(StepInterrupted(number, attempt, _now(), "cancelled"))
            case Died():
                if wish is not None and wish.why == "limit":
                    self._time_is_up(wish, died=report)
                elif wish is not None and wish.why == "cancel":
                    self._tell(StepInterrupted(number, attempt, _now(), f"cancelled; its worker {report.how}"))
                else:
                    died = WorkerDied(task.bound.step.key, report.how)
                    self._fail(task, died, bare_info(died, during="worker", frames=report.frames))
            case Dropped():
                self._tell(StepInterrupted(number, attempt, _now(), report.why))

    def _count(self, number: int) -> None:
        """A generator has yielded a value. After a window of them it waits, and its place is free."""
        task = self._under_way[number]
        if self._windows.fills(task):
            self._places[task.lane] += 1
            self._queue.rest(number)

    def _lose(self, task: Task, report: Missing) -> None:
        """A value of another step is gone: that one runs again, once; otherwise this step fails."""
        number, attempt, maker, output = report.step, report.attempt, report.maker, report.output
        if self._sources.was_made_again(task.taken, maker, output, report.mapping_key):
            self._tell(StepInterrupted(number, attempt, _now(), f"the value {output!r} was made again meanwhile"))
        elif can_be_made_again(self.state, maker, output, report.mapping_key):
            self._tell(ValueLost(maker, output, _now(), report.mapping_key))
            self._tell(StepInterrupted(number, attempt, _now(), f"waits for the lost value {output!r}"))
        else:  # another attempt would not find it either
            fact = StepFailed(number, attempt, _now(), msgspec.structs.replace(report.error, retry=False))
            self._failed(task, fact, report.cause)

    def _fail(self, task: Task, error: BaseException, info: ErrorInfo) -> None:
        """An attempt ended without a word of its own: another may follow, or the step's hooks are called here."""
        told, wait = judged(error, info, task.bound.step.retry, task.count)
        self._failed(task, StepFailed(task.step, task.attempt, _now(), told, retry_after=wait), error)

    def _failed(self, task: Task, fact: StepFailed, error: BaseException | None) -> None:
        if error is not None:
            self.errors[task.step] = error
        self.failures[task.step] = with_hooks(fact, task.bound, self._side, error=error)
        self._tell(self.failures[task.step])

    def _time_is_up(self, wish: Wish, cause: ErrorInfo | None = None, died: Died | None = None) -> None:
        error = StepTimedOut(wish.task.bound.step.key, wish.limit, of_run=wish.of_run)
        self._run_timed_out = self._run_timed_out or (wish.of_run and not self._canceled)
        self._fail(wish.task, error, bare_info(error, cause=cause, frames=died.frames if died else ()))
        if wish.of_run and self.state.final is None:
            self._end_run_early()

    def _end_run_early(self) -> None:
        if not self._canceled:
            self._run_timed_out = True
            self._cancel(f"the run's limit of {self._limits.of_run:g} s")

    def _is_over_time(self) -> bool:
        """Whether the run's time is up; if so, it ends."""
        over = _clock() >= self._limits.run_due
        if over:
            self._end_run_early()
        return over

    def _is_current(self, number: int, attempt: int) -> bool:
        task = self._under_way.get(number)
        return task is not None and task.attempt == attempt

    def _too_late(self, report: Report) -> None:
        """The end of an attempt that was given up: what it stored is nobody's."""
        fact: Any = report.fact if type(report) is Ended else None
        if type(fact) is StepSucceeded and (fact.step, fact.attempt) in self._given_up:
            self._given_up.discard((fact.step, fact.attempt))
            self._shelf.remove(fact.outputs)

    # -- time and stopping --------------------------------------------------------------

    def _cancel(self, by: str) -> None:
        self._canceled, self.canceled_by = True, by
        self._queue.clear()
        self._delayed.clear()
        self._tell(CancelRequested(_now(), by))

    def _watch_the_clock(self, now: float) -> None:
        """What is due: looks at the world, retries, time limits, and the end of patience with what was told to stop."""
        if now >= self._next_look:
            self._look()
        wall = _now()
        for number, pool in self._slots.late() if self._slots is not None else ():
            if self.state.phases[number] == Phase.STARTING:
                self._tell(StepWaits(number, wall, pool))
        while (number := self._delayed.next(wall)) is not None:
            self._tell(RetryDue(number, wall))
        for task, order in self._limits.orders(now):
            self._executor.order(task.step, task.attempt, order)
        if self._delayed:
            self._limits.wake(now + (self._delayed.soonest - wall))

    def _stop(self, task: Task) -> None:
        """The engine wants an attempt stopped: the run is being cancelled."""
        if self._limits.stop(task, _clock(), of_run=self._run_timed_out):
            self._executor.order(task.step, task.attempt, Order.STOP)

    def _look(self) -> None:
        """What cannot wait for a step's end: keep what was said, notice a request to cancel. From any thread."""
        self._next_look = _clock() + _TICK
        if not self._stopping.asked:
            self._stopping.asked = self._asked()
        self._journal.keep_lines()

    def _wait(self, stopping: Stopping) -> None:
        """Nothing is under way, and what could be waits for its next attempt."""
        while (number := self._delayed.next(_now())) is None:
            self._look()
            if stopping.asked or self._is_over_time():
                return
            time.sleep(min(max(self._delayed.soonest - _now(), 0.0), _TICK))
        self._tell(RetryDue(number, _now()))

    def _wait_for_slots(self) -> None:
        """Nothing is under way, and what could be has to wait for a pool."""
        self._watch_the_clock(_clock())
        self._journal.commit()
        if not (self._is_over_time() or self._stopping.asked):
            time.sleep(POLL)

    # -- facts and commands -----------------------------------------------------------

    def _emit(self, fact: AnyFact, blob: bytes | None) -> None:
        """A fact that happened while a step goes on in this thread: recorded at once, whole even if a signal comes."""
        with self._stopping.held():
            try:
                if is_value_of_fan(fact):
                    self._emit_element(fact, blob)
                else:
                    self._take(Happened(fact, blob))
                    self._journal.commit()
            except RecordError as error:
                raise NotRecorded(error) from error

    def _emit_element(self, fact: AnyFact, blob: bytes | None) -> None:
        """A value of a fan-out: the steps that it makes possible run now, while the generator waits.

        So values never pile up, and a chain inside one key comes before the next key. The fact is recorded together
        with the start of the first of these steps.
        """
        lanes, mine, slots = self._queue.lanes, list[int](), self._slots
        others, lanes[0] = lanes[0], mine
        aside = slots.set_aside() if slots is not None else {}
        try:
            self._tell(fact, blob)
            while not self._stopping.asked and not self._canceled:
                # One that finds its pool full comes later: a step must not wait for a slot while another waits for it.
                number = slots.next(0) if slots is not None else None
                if number is None:
                    if not mine:
                        break
                    number = heapq.heappop(mine)
                self._run(number)
            if len(self._journal.facts) >= _MOST_UNRECORDED:
                self._journal.commit()
        finally:
            lanes[0] = others
            if self._canceled:
                others.clear()
                aside.clear()
            if slots is not None:
                slots.put_back(aside)
            for number in mine:
                heapq.heappush(others, number)
        if self._canceled and not self._stopping.asked:
            raise KeyboardInterrupt("cancelled")

    def _tell(self, fact: AnyFact, blob: bytes | None = None) -> None:
        answers, journal = self._answers, self._journal
        while True:
            seq = self._next
            self._next = seq + 1
            journal.facts.append(fact)
            journal.values.append(blob)
            if blob is not None:
                self._shelf.remember(seq, blob)
            commands = advance(self.state, fact, seq)
            if self._notes is not None:
                self._notes.see(fact)
            for command in commands:
                if type(command) is Start:  # the commonest
                    self._queue.add(command.step)
                else:
                    self._obey(command)
            if not answers:
                return
            fact, blob = answers.popleft(), None

    def _obey(self, command: Command) -> None:
        match command:
            case Start():
                self._queue.add(command.step)
            case commands.Reuse():
                planned = command.step < self._planned  # mapped steps are reused from the parent run only
                current = planned and self.state.program.plan.steps[command.step].decision.why != "recorded"
                self._answers.append(StepReused(command.step, _now(), command.kept, current))
                self._journal.durable |= current and any(k.stored.asset is not None for k in command.kept)
            case commands.Skip():
                self._answers.append(
                    StepSkipped(command.step, _now(), command.because, command.output, command.blocked)
                )
            case commands.LookUp():
                self._answers.append(self._look_ups.answer(self._sources, command.step))
            case commands.Delay():
                self._delayed.add(command.step, _now() + command.seconds)
                self._limits.wake(_clock() + command.seconds)
            case commands.Stop():
                task = self._under_way.get(command.step)
                if task is not None:
                    self._stop(task)
                else:  # told to start, and not begun
                    self._answers.append(StepInterrupted(command.step, command.attempt, _now(), "cancelled"))
            case commands.End():
                status, error = command.status, None
                if self._canceled and status is RunStatus.SUCCESS:  # what was under way came to its own end after all
                    status = RunStatus.CANCELED
                if self._run_timed_out:
                    status, error = RunStatus.FAILURE, error_info(RunTimedOut(self._limits.of_run), during="worker")
                self._answers.append(RunEnded(_now(), status, error))
