"""What changes, as it changes: streams of server-sent events that can be taken up where they broke off."""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from opgraph.operate.inspect import DIED, NoSuchRunError
from opgraph.record.sqlite import SqliteRecord
from opgraph.show.web import messages as m
from opgraph.show.web.followed import Followed, Following
from opgraph.show.web.memory import give_back
from opgraph.show.web.runs import RunPages, counts_of, member_row, tree_row
from opgraph.show.web.said import cursor_of, line_of

_LOOK = 0.15  # seconds between looks at the record
_BEAT = 10.0  # seconds between signs of life
_KEPT = 1_000  # events of the global stream that can be asked for again
_KEPT_BYTES = 8 << 20
_ROWS = 1_000  # of one delta
_LINES = 500
_ENDS = 5.0  # seconds after its run's end that a stream goes on
_TIDY = 15.0  # seconds between looks for memory that is free
_NEWEST = 100  # runs that are looked at for changes


def event(name: str, number: str, body: BaseModel) -> bytes:
    """One event, as it is sent."""
    return f"event: {name}\nid: {number}\ndata: {body.model_dump_json()}\n\n".encode()


class Deltas:
    """What changed in one run since a place in its log.

    Args:
        record: where it is recorded.
        pages: shows it.
        run: the run.
        seq: the last fact that was told.
        line: the last line.
        whole: whether rows and lines are told, and not only how the run stands.
    """

    def __init__(
        self, record: SqliteRecord, pages: RunPages, run: Followed, seq: int, line: int, *, whole: bool
    ) -> None:
        self._record, self._pages, self._run, self._whole = record, pages, run, whole
        self.seq, self.line = seq, line
        self.status: str = ""
        self._died = False
        self.more = False  # whether there are lines that did not fit

    def since(self) -> m.RunDelta | None:
        """What is new; None: nothing."""
        run, record = self._run, self._record
        row = record.run(run.run_id)
        if row is None:
            return None
        summary = self._pages.summary(row)  # asked first: with the end of a run all that came before it is told
        run.catch_up(record)
        with run.lock:
            new = run.seq > self.seq
            said = record.logs(run.run_id, None, self.line, _LINES + 1) if self._whole else []
            status = summary.status
            died, self._died = run.died and not self._died, run.died
            if not new and not said and status == self.status and not died:
                return None
            steps = run.stopped() if died else run.changed_after(self.seq)
            rows, lagging = self._rows(steps) if self._whole and (new or died) else ([], False)
            self.seq, self.status = run.seq, status
            self.more = len(said) > _LINES
            said = said[:_LINES]
            if said:
                self.line = said[-1][0]
            counts = counts_of(run)
            return m.RunDelta(
                run=summary,
                seq=run.seq,
                counts=counts,
                total=sum(counts.values()),
                rows=rows,
                lines=[line_of(run, number, line) for number, line in said],
                lagging=lagging,
            )

    def _rows(self, steps: set[int] | None) -> tuple[list[m.TreeRow], bool]:
        """The rows of the steps that changed, and those around them, as they stand now; whether there are more than are
        told at once."""
        run = self._run
        planned = len(run.plan.steps)
        if steps is None:
            return [tree_row(run, row) for row in run.rows[:_ROWS]], len(run.rows) > _ROWS
        shown: set[int] = set()
        for step in steps:
            template = run.fold.row(step)
            shown.update(run.above[template])
            for i in run.mapped_over.get(template, ()):  # its row changes with what it is mapped over
                shown.update(run.above[i])
        made = sorted(step for step in steps if step >= planned)
        rows = [tree_row(run, run.rows[i]) for i in sorted(shown)[:_ROWS]]
        templates = ((n, run.fold.row(n)) for n in made[: _ROWS - len(rows)])
        rows += [member_row(run, n, template, run.depth[template] + 1) for n, template in templates]
        return rows, len(shown) + len(made) > _ROWS


class Hub:
    """The one place that looks at the record for changes, and keeps what it told for those who come back.

    Args:
        record: what is looked at.
        following: the runs that are kept up with.
        pages: shows runs.
        states: gives the state of every asset, by id.
        project: gives the state of the definitions.
    """

    def __init__(
        self,
        record: SqliteRecord,
        following: Following,
        pages: RunPages,
        states: Callable[[], dict[str, m.AssetState]],
        project: Callable[[], m.Project],
    ) -> None:
        self._record, self._following, self._pages = record, following, pages
        self._states, self._project = states, project
        self.boot = os.urandom(4).hex()
        self.version = 0  # rises whenever anything changed
        self._events: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._number = 0
        self._lock = threading.Lock()
        self._told: dict[str, Deltas] = {}  # runs that go on
        self._ended: dict[str, None] = {}  # those of which the end was told
        self._assets: dict[str, m.AssetState] = {}
        self._first = True
        self._stopping = threading.Event()
        self._project_changed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="record", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; streams end."""
        self._stopping.set()

    @property
    def stopped(self) -> bool:
        """Whether streams are to end."""
        return self._stopping.is_set()

    @property
    def going(self) -> bool:
        """Whether runs are being watched that have not ended."""
        return any(each.status != DIED for each in list(self._told.values()))

    def tell_project(self) -> None:
        """The definitions changed."""
        self._project_changed.set()

    def _watch(self) -> None:
        seen, looked, assets_at, tidied, pending = -1, 0.0, 0.0, time.monotonic(), True
        while not self._stopping.wait(_LOOK):
            try:
                now = time.monotonic()
                stamp = self._record.stamp()
                if self._project_changed.is_set():
                    self._project_changed.clear()
                    self._publish("project", self._project())
                    pending = True
                if stamp != seen or now - looked > 2.0:  # that a process died changes nothing in the file
                    pending = pending or stamp != seen or bool(self._told)
                    self.version += stamp != seen  # streams of single runs look for themselves
                    seen, looked = stamp, now
                    self._look()
                if now - tidied > _TIDY:
                    tidied = now
                    self._following.forget_unused()
                    give_back()
                if pending and now >= assets_at:
                    pending = False
                    began = time.monotonic()
                    self._look_at_assets()
                    assets_at = time.monotonic() + max(0.3, 5 * (time.monotonic() - began))
            except Exception:  # noqa: BLE001 - a look that failed is repeated; the pages themselves say what is wrong
                if self._stopping.wait(2.0):
                    return

    def _look(self) -> None:
        for row in self._record.runs(limit=_NEWEST):
            if row.run_id in self._ended or (self._first and row.status.is_final):
                self._ended.setdefault(row.run_id)
                continue
            deltas = self._told.get(row.run_id)
            if deltas is None:
                try:
                    run = self._following.run(row.run_id)
                except NoSuchRunError:
                    continue
                deltas = Deltas(self._record, self._pages, run, 0, 0, whole=False)
                self._told[row.run_id] = deltas
            delta = deltas.since()
            if delta is not None:
                self._publish("run", delta)
                if delta.run.status in ("SUCCESS", "FAILURE", "CANCELED"):
                    del self._told[row.run_id]
                    self._ended[row.run_id] = None
        self._first = False
        while len(self._ended) > 10 * _NEWEST:
            del self._ended[next(iter(self._ended))]

    def _look_at_assets(self) -> None:
        now = self._states()
        changed = [state for key, state in now.items() if self._assets.get(key) != state]
        first, self._assets = not self._assets, now
        if changed and not first:
            for start in range(0, len(changed), 500):
                self._publish("assets", m.AssetsDelta(assets=changed[start : start + 500]))

    def _publish(self, name: str, body: BaseModel) -> None:
        with self._lock:
            self._number += 1
            data = event(name, f"{self.boot}-{self._number}", body)
            self._events.append((self._number, data))
            self._bytes += len(data)
            while len(self._events) > _KEPT or (self._bytes > _KEPT_BYTES and len(self._events) > 1):
                self._bytes -= len(self._events.popleft()[1])
        self.version += 1

    def after(self, number: int) -> list[bytes] | None:
        """The events after one; None: some of them are not known any more."""
        with self._lock:
            first = self._events[0][0] if self._events else self._number + 1
            if number + 1 < first or number > self._number:
                return None
            return [data for n, data in self._events if n > number]

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self._number

    async def everything(self, last: str) -> AsyncGenerator[bytes]:
        """The global stream, from after an event that was received."""
        yield b"retry: 1000\n\n"
        boot, _, number = last.partition("-")
        at = self.last
        if last:
            known = boot == self.boot and number.isascii() and number.isdigit() and len(number) < 16
            if not known or self.after(int(number)) is None:
                yield event("reset", f"{self.boot}-{at}", m.StreamReset(why="some of what happened is not known here"))
            else:
                at = int(number)
        else:
            yield event("project", f"{self.boot}-{at}", self._project())
        beat = time.monotonic()
        while not self.stopped:
            events = self.after(at)
            if events is None:
                at = self.last
                events = [event("reset", f"{self.boot}-{at}", m.StreamReset(why="the reader was too slow"))]
            else:
                at += len(events)
            for data in events:
                yield data
            if events:
                beat = time.monotonic()
            elif time.monotonic() - beat > _BEAT:
                beat = time.monotonic()
                yield b": still here\n\n"
            await asyncio.sleep(_LOOK)

    def one(self, run: Followed, last: str) -> AsyncGenerator[bytes]:
        """The stream of one run, from after an event that was received; from the beginning of its log otherwise.

        Raises:
            Refused: there is no such event.
        """
        return self._one(run, *cursor_of(last))

    async def _one(self, run: Followed, seq: int, line: int) -> AsyncGenerator[bytes]:
        yield b"retry: 1000\n\n"
        if seq > run.seq:
            yield event("reset", "0.0", m.StreamReset(why="the run has no such event"))
            seq = line = 0
        deltas = Deltas(self._record, self._pages, run, seq, line, whole=True)
        beat = looked = time.monotonic()
        seen, ended = -1, 0.0
        while not self.stopped:
            now = time.monotonic()
            delta: m.RunDelta | None = None
            stamp = self.version
            if stamp != seen or now - looked > 2.0:  # that the run's process died changes nothing in the record
                delta = await run_in_threadpool(deltas.since)
                seen, looked = stamp, now
            if delta is not None:
                beat = now
                yield event("run", f"{deltas.seq}.{deltas.line}", delta)
                if deltas.more:
                    seen = -1
                    continue
            elif now - beat > _BEAT:
                beat = now
                yield b": still here\n\n"
            if deltas.status in ("SUCCESS", "FAILURE", "CANCELED"):
                ended = ended or now
                if now - ended > _ENDS:
                    return
            await asyncio.sleep(_LOOK)
