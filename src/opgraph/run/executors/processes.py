"""Steps in worker processes on this machine. A worker that dies takes one step with it, and another takes its place."""

import codecs
import os
import selectors
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from mmap import mmap
from pathlib import Path
from typing import Any

from opgraph.declare.settings import secrets
from opgraph.errors import Source
from opgraph.events import ErrorInfo, Frame, Kept, Place
from opgraph.plan.model import FromAsset, FromMany
from opgraph.run.executors import fresh
from opgraph.run.executors.forking import fork, may_fork
from opgraph.run.executors.mistakes import CodeChanged, NotSharedBetweenProcesses, NotShippable, WorkerCannotLoad
from opgraph.run.executors.protocol import (
    ASYNC,
    HERE,
    WORKERS,
    Begun,
    Died,
    Dropped,
    Happened,
    Order,
    Report,
    Stopped,
    Task,
    attempt_of,
)
from opgraph.run.executors.shipment import shipment_of
from opgraph.run.executors.threads import ASYNC_KINDS, Threads
from opgraph.run.executors.wire import Ask, Halt, Inbox, More, Ready, Said, packed, prefixed, tells, to_report
from opgraph.run.executors.worker import ATTEMPT, CURRENT, NOBODY, TO_STOP, be_worker, c_library
from opgraph.run.failure import crash_of
from opgraph.run.step.attempt import Attempts
from opgraph.run.store.shelf import Shelf

_MOST_LENT = 4_000_000  # bytes that go with a task; a worker reads the rest itself
_LOADING = 10.0  # seconds that a run waits for its first workers to have loaded the definitions; then it begins
_PATIENCE = 600.0  # seconds that a worker is given to load them
_GOODBYE = 10.0  # seconds that idle workers are given to put their resources away and leave
_ROLL_CALL = 0.1  # seconds between two looks whether all are alive: a socket may be held open by a worker's child


class Processes:
    """Makes attempts in worker processes; see `Executor`.

    A worker is forked from this process where that is safe, which takes milliseconds. Else it is a new interpreter that
    loads the definitions.

    Args:
        attempts: makes an attempt, in a worker.
        most: how many workers.
        most_async: how many async steps are under way at once, in one worker of their own.
        here: whether steps that stay in the driver's process are made in this one.
        method: `fork` or `spawn`: how workers are made in any case; else what is safe.

    Raises:
        NotSharedBetweenProcesses: values are to be kept in memory.
        NotShippable: workers are to be spawned, and something in the definitions cannot be pickled.
    """

    apart = True

    def __init__(self, attempts: Attempts, *, most: int, most_async: int, here: bool = True, method: str = "") -> None:
        refuse_memory(attempts, "processes")
        attempts.shelf.share()
        self._attempts = attempts
        self._method, self._shipment, self._closing = method, b"", False
        self.ready, self._patience = True, 0.0  # until when the first workers may load
        forks = self._is_to_fork()
        if forks:
            c_library()
        self._most, self._most_async = most, most_async
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._loop: _Worker | None = None  # the one for async steps
        self._of: dict[tuple[int, int], _Worker] = {}
        self._alone: set[int] = set()  # async steps that were under way with one that took their worker down
        self._here: Threads | None = None
        self._called = 0.0
        if here and any(bound.step.executor for bound in attempts.steps):
            for _ in range(most):  # before user code runs in this process, in a thread that they would miss
                self._idle.append(self._hire())
            self._here = Threads(attempts, most=1, most_async=1, wake=self._be_woken)
        elif not forks:  # they load the definitions side by side
            kinds = [self.lane(n, n) for n in range(len(attempts.steps))]
            for _ in range(min(most, kinds.count(WORKERS), os.cpu_count() or 1)):
                self._idle.append(self._hire())
            if ASYNC in kinds:
                self._loop = self._hire(several=True)
            self.ready, self._patience = False, time.monotonic() + _LOADING

    def fileno(self) -> int:
        """A descriptor that can be read when there may be reports, for who waits for something else as well."""
        return self._selector.fileno()

    def _be_woken(self) -> None:
        os.write(self._wake, b".")

    def lane(self, step: int, template: int) -> int:
        """See `Executor.lane`."""
        bound = self._attempts.steps[template]
        if bound.step.executor:
            return HERE
        return ASYNC if bound.op.body.kind in ASYNC_KINDS and step not in self._alone else WORKERS

    def places(self, lane: int) -> int:
        """See `Executor.places`."""
        return {WORKERS: self._most, ASYNC: self._most_async, HERE: 1}[lane]

    def start(self, task: Task) -> bool:
        """See `Executor.start`. What its worker is sent waits until that is ready."""
        lane = self.lane(task.step, task.template)
        if lane == HERE:
            assert self._here is not None
            return self._here.start(task)
        if lane == ASYNC:
            if self._loop is None:
                self._loop = self._hire(several=True)
            worker = self._loop
        else:
            ready = next((each for each in reversed(self._idle) if each.ready), None)
            worker = ready or (self._idle[-1] if self._idle else self._hire())
            if worker in self._idle:
                self._idle.remove(worker)
        key = (task.step, task.attempt)
        worker.busy[key] = None
        self._of[key] = worker
        self._send(worker, packed(ask(task, self._attempts.shelf, most=_MOST_LENT)))
        return worker.ready

    def reports(self, timeout: float) -> Sequence[Report]:
        """See `Executor.reports`."""
        came: list[Report] = []
        now = time.monotonic()
        if now - self._called > _ROLL_CALL:
            self._called = now
            for worker in [each for each in self._workers if each.is_dead() or each.is_stuck(now)]:
                self._bury(worker, came)
        self.ready = self.ready or now > self._patience or all(each.ready for each in self._workers)
        if self._here is not None:
            came += self._here.reports(0)
        for event, mask in self._selector.select(0 if came else timeout):
            if event.data is None:
                os.read(self._woken, 4096)
                if self._here is not None:
                    came += self._here.reports(0)
                continue
            worker, stream = event.data
            if worker.closed:
                continue
            if stream:
                self._read(worker, stream)
            elif mask & selectors.EVENT_WRITE and worker.flush():
                self._selector.modify(worker.line, selectors.EVENT_READ, (worker, ""))
            if not stream and mask & selectors.EVENT_READ:
                self._receive(worker, came)
        return came

    def order(self, step: int, attempt: int, order: Order) -> None:
        """See `Executor.order`: KeyboardInterrupt in the worker, or its death."""
        key = (step, attempt)
        worker = self._of.get(key)
        if worker is None:
            if self._here is not None:
                self._here.order(step, attempt, order)
        elif order is Order.MORE:
            self._send(worker, packed(More(step, attempt)))
        elif order is Order.KILL or not worker.ready:
            worker.victim = key
            worker.kill()
        elif worker is self._loop:
            self._send(worker, packed(Halt(step, attempt)))
        else:
            ATTEMPT.pack_into(worker.page, TO_STOP, step, attempt)
            os.kill(worker.pid, signal.SIGINT)

    def close(self) -> None:
        """See `Executor.close`. Workers put their resources away; what takes too long is killed."""
        self._closing = True
        if self._here is not None:
            self._here.close()
            self._here = None
        for worker in self._workers:
            if worker.busy or not worker.ready:
                worker.kill()
            else:
                worker.dismiss()
        patience = time.monotonic() + _GOODBYE
        while self._workers and time.monotonic() < patience:
            self.reports(_ROLL_CALL)
        for worker in list(self._workers):
            self._bury(worker, [])
        self._selector.close()
        os.close(self._woken)
        os.close(self._wake)

    # -- workers --------------------------------------------------------------------------

    def _is_to_fork(self) -> bool:
        """Whether the next worker is forked; else what it loads is at hand."""
        if self._method == "fork" or (not self._method and may_fork()):
            return True
        if not self._shipment:
            storage = self._attempts.shelf.storage
            Path(storage).mkdir(parents=True, exist_ok=True)
            try:
                self._shipment = prefixed(shipment_of(self._attempts, storage, "", secrets.known()))
            except NotShippable as refused:
                if self._method:
                    raise
                self._fork_in_spite_of(refused.what)
                return True
        return False

    def _fork_in_spite_of(self, why: str) -> None:
        self._method = "fork"
        where = Source.of_caller() or Source(__file__, 0)
        warnings.warn_explicit(
            f"worker processes are forked from a process that has threads, because {why}. An op may hang that uses a "
            "library which was used before in this process (Polars, DuckDB, CUDA). Define what the ops use in modules, "
            "or `pip install cloudpickle`, or use the executor `threads`",
            RuntimeWarning,
            *where,
        )

    def _hire(self, *, several: bool = False) -> "_Worker":
        forks, parent = self._is_to_fork(), os.getpid()
        line, its_line = socket.socketpair()
        out, its_out = os.pipe()
        err, its_err = os.pipe()
        story, its_story = os.pipe()
        with tempfile.TemporaryFile() as shared:
            if not forks:
                shared.truncate(4096)
            page = mmap(-1 if forks else shared.fileno(), 4096)
            ATTEMPT.pack_into(page, CURRENT, *NOBODY)
            ATTEMPT.pack_into(page, TO_STOP, *NOBODY)
            begun = (
                None
                if forks
                else fresh.begin(its_line, (shared.fileno(), its_out, its_err, its_story), several=several)
            )
        pid = begun.pid if begun is not None else fork()
        if pid == 0:
            # While one of us held the driver's end of another's line, the other would not notice the driver's death.
            for descriptor in (line.fileno(), out, err, story, self._woken, self._wake, *self._descriptors()):
                os.close(descriptor)
            be_worker(self._attempts, its_line, page, (its_out, its_err, its_story), parent, several=several)
        its_line.close()
        for descriptor in (its_out, its_err, its_story):
            os.close(descriptor)
        os.set_blocking(story, False)
        line.setblocking(False)  # noqa: FBT003 - the name of the parameter is the method's
        worker = _Worker(pid, line, page, {"STDOUT": out, "STDERR": err}, story, begun)
        self._workers.append(worker)
        self._selector.register(line, selectors.EVENT_READ, (worker, ""))
        for stream, pipe in worker.pipes.items():
            os.set_blocking(pipe, False)
            self._selector.register(pipe, selectors.EVENT_READ, (worker, stream))
        if begun is not None:
            self._send(worker, self._shipment)
        return worker

    def _descriptors(self) -> Iterator[int]:
        for worker in self._workers:
            if not worker.closed:
                yield worker.line.fileno()
                yield from (worker.story, *worker.pipes.values())

    def _send(self, worker: "_Worker", data: bytes) -> None:
        worker.unsent += data
        if not worker.flush():
            self._selector.modify(worker.line, selectors.EVENT_READ | selectors.EVENT_WRITE, (worker, ""))

    def _receive(self, worker: "_Worker", came: list[Report]) -> None:
        try:
            data = worker.line.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._bury(worker, came)
            return
        self._take(worker, data, came)

    def _take(self, worker: "_Worker", data: bytes, came: list[Report]) -> None:
        for message in worker.inbox.add(data):
            told = tells(message)
            if isinstance(told, Said):
                self._attempts.said.add(told.lines)
                continue
            if isinstance(told, Ready):
                worker.ready, worker.refused, worker.changed = not told.refused, told.refused, told.changed
                came += [Begun(*key) for key in worker.busy if worker.ready]
                continue
            report = to_report(told)
            came.append(report)
            if type(report) is Happened:
                continue
            key = attempt_of(report)
            self._attempts.said.finish(*key)
            self._of.pop(key, None)
            worker.busy.pop(key, None)
            if worker is not self._loop:
                self._idle.append(worker)

    def _read(self, worker: "_Worker", stream: str) -> bool:
        """Take in what a worker wrote; False: there is nothing."""
        try:
            data = os.read(worker.pipes[stream], 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(worker.pipes[stream])
            return False
        step, attempt = ATTEMPT.unpack_from(worker.page, CURRENT)
        self._attempts.said.overhear(step, attempt, stream, worker.decoders[stream].decode(data))
        return True

    def _bury(self, worker: "_Worker", came: list[Report]) -> None:
        """A worker is dead: hear its last words, blame its step, forget it."""
        how = worker.bury()
        while data := worker.rest():
            self._take(worker, data, came)
        story, frames = worker.crash()
        for stream, pipe in worker.pipes.items():
            while pipe in self._selector.get_map() and self._read(worker, stream):
                pass
            if pipe in self._selector.get_map():
                self._selector.unregister(pipe)
        self._selector.unregister(worker.line)
        cannot_load = not (worker.ready or worker.victim or self._closing)
        left = [] if cannot_load else list(worker.busy)
        if story and left:
            self._attempts.said.overhear(*worker.victim or left[0], "STDERR", story)
        for key in left:
            self._of.pop(key, None)
            self._attempts.said.finish(*key)
            if not worker.ready:
                came.append(Stopped(*key, ErrorInfo("KeyboardInterrupt", "told to stop before it had begun")))
            elif len(left) == 1 or key == worker.victim:
                came.append(Died(*key, how, frames))
            else:
                came.append(Dropped(*key, f"its worker {how}"))
                if not worker.victim:
                    self._alone.add(key[0])
        worker.close()
        self._workers.remove(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if worker is self._loop:
            self._loop = None
        if cannot_load:
            self._cannot_load(worker, how, came)

    def _cannot_load(self, worker: "_Worker", how: str, came: list[Report]) -> None:
        """A worker that was not forked ended before it had the definitions: what it was to do is for another one."""
        why = worker.refused or f"it {how}"
        if self._method == "spawn":
            raise CodeChanged("a new worker process", worker.changed) if worker.changed else WorkerCannotLoad(why)
        if not self._method:
            self._fork_in_spite_of(f"a new worker cannot load the definitions: {why}")
        for key in worker.busy:
            del self._of[key]
            came.append(Dropped(*key, f"its worker could not load the definitions: {why}"))
        worker.busy.clear()


def refuse_memory(attempts: Attempts, executor: str) -> None:
    """Refuse a run whose values would stay in the memory of one of several processes.

    Raises:
        NotSharedBetweenProcesses: names the first output.
    """
    for bound in attempts.steps:
        for output in bound.step.outputs:
            if not bound.step.executor and attempts.shelf.only_here(output.io_manager):
                raise NotSharedBetweenProcesses(bound.step.key, output.name, output.io_manager, executor)


def ask(task: Task, shelf: Shelf, *, most: int | None) -> Ask:
    """A task with all that a worker needs, so that it need not read the record.

    Args:
        task: which.
        shelf: has the bytes of inline values.
        most: how many of them go with it; None: all, because the worker cannot read the record.
    """
    lent: dict[tuple[str, int], bytes] = {}
    kept = [found.kept for found in task.taken.found] if task.taken is not None else []
    known: dict[str, Kept | None] = {}
    for asset in _assets_of(task.bound.step.inputs):
        known[asset] = latest = shelf.latest(asset)
        kept.append(latest)
    size = 0
    for each in kept:
        if each is not None and each.stored.place is Place.INLINE and (each.run, each.seq) not in lent:
            blob = shelf.bytes_of(each) if most is None or size < most or shelf.is_volatile else None
            if blob is not None:
                lent[each.run, each.seq] = blob
                size += len(blob)
    return Ask(
        task.step,
        task.attempt,
        task.asked,
        task.template,
        task.bound.step.key,
        task.count,
        task.window,
        task.taken,
        [(run, seq, blob) for (run, seq), blob in lent.items()],
        known,
        task.limit is not None,
    )


class _Worker:
    """The driver's side of a worker."""

    __slots__ = (
        "busy", "changed", "closed", "decoders", "due", "fresh", "inbox", "line", "page", "pid", "pipes", "ready",
        "reaped", "refused", "status", "story", "unsent", "victim",
    )  # fmt: skip

    def __init__(
        self,
        pid: int,
        line: socket.socket,
        page: mmap,
        pipes: dict[str, int],
        story: int,
        fresh: "subprocess.Popen[bytes] | None",
    ) -> None:
        self.pid, self.line, self.page, self.pipes = pid, line, page, pipes
        self.fresh = fresh  # as Python's library knows it, where it was not forked
        self.ready, self.refused = fresh is None, ""  # whether it has the definitions, or why it cannot have them
        self.changed: list[str] = []  # the ops of which it has other code
        self.due = time.monotonic() + _PATIENCE  # when it must have them
        self.story = story
        self.inbox = Inbox()
        self.busy: dict[tuple[int, int], None] = {}
        self.unsent = bytearray()
        self.victim: tuple[int, int] | None = None  # the attempt for which it was killed
        self.closed = False
        self.reaped = False
        self.status: int | None = None  # None: somebody else heard of its end
        decoder = codecs.getincrementaldecoder("utf-8")
        self.decoders: dict[str, Any] = {stream: decoder("replace") for stream in pipes}

    def dismiss(self) -> None:
        """Nothing more will be asked of it."""
        with suppress(OSError):  # it is dead already
            self.line.shutdown(socket.SHUT_WR)

    def flush(self) -> bool:
        """Send what is to be sent; False: not all went."""
        while self.unsent:
            try:
                sent = self.line.send(self.unsent)
            except BlockingIOError:
                return False
            except OSError:
                self.unsent.clear()  # it is dead, which its line tells too
                return True
            del self.unsent[:sent]
        return True

    def is_dead(self) -> bool:
        """Whether the process has ended, without waiting for it."""
        if not self.reaped:
            try:
                found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return True
            return found is not None
        return True

    def is_stuck(self, now: float) -> bool:
        """Whether it took too long to load the definitions."""
        if self.ready or now < self.due:
            return False
        self.refused = f"it had not loaded them after {_PATIENCE:g} s"
        return True

    def kill(self) -> None:
        """End the process and all that it started."""
        if not self.reaped:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)  # it has no group of its own yet

    def bury(self) -> str:
        """The process has ended, or is about to: with it goes what it started. Returns how it ended."""
        if not self.reaped:
            self.kill()  # as long as it is not reaped, its number is nobody else's
            try:
                _, self.status = os.waitpid(self.pid, 0)
            except ChildProcessError:
                self.status = None
            self.reaped = True
            if self.fresh is not None:
                self.fresh.returncode = 0  # Python's library need not look for it
        if self.status is None:
            return "ended"
        code = os.waitstatus_to_exitcode(self.status)
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"

    def rest(self) -> bytes:
        """What it sent before it died."""
        try:
            return self.line.recv(1 << 18)
        except OSError:
            return b""

    def crash(self) -> tuple[str, tuple[Frame, ...]]:
        """What `faulthandler` wrote, if it crashed, and where its Python was."""
        try:
            return crash_of(os.read(self.story, 1 << 16).decode(errors="replace"))
        except BlockingIOError:  # a child of it lives on
            return "", ()

    def close(self) -> None:
        """Let go of its descriptors."""
        if not self.closed:
            self.closed = True
            self.line.close()
            for pipe in (self.story, *self.pipes.values()):
                os.close(pipe)


def _assets_of(inputs: Sequence[Any]) -> Iterator[str]:
    for each in inputs:
        sources = each.source.items if isinstance(each.source, FromMany) else (each.source,)
        yield from (source.asset for source in sources if isinstance(source, FromAsset))
