"""Steps on a Dask cluster. Dask brings tasks to its workers and says which are gone; what a task does is ours."""

import asyncio
import logging
import os
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from msgspec import Struct

from opgraph.run.executors.mistakes import ClusterLost, ClusterNotReached, CodeChanged, HostUnfit, WorkerCannotLoad
from opgraph.run.executors.processes import ask, refuse_memory
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
    Task,
    attempt_of,
)
from opgraph.run.executors.relay import BEAT, GONE, close_relay, make_attempt, open_relay, tell_relay
from opgraph.run.executors.shipment import shipment_of
from opgraph.run.executors.threads import ASYNC_KINDS, Threads
from opgraph.run.executors.wire import Halt, Inbox, More, Ready, Said, packed, tells, to_report
from opgraph.run.step.attempt import Attempts

_PATIENCE = 10.0  # seconds in which a scheduler must answer, and a first worker be there
_LOADING = 10.0  # seconds that a run waits for all workers to have loaded it; then those that have begin
_MOST_LOADING = 600.0  # seconds in which one must have
_LETTING_GO = 1.0  # seconds that the end of a run waits for a connection that is being made
_ALONE = 60.0  # seconds that a run waits for a worker when the last one is gone
_MOST_DROPS = 3  # workers that may vanish under one step before it is to blame
_MOST_AT_ONCE = 1000  # messages handed over in one go, so that the driver commits now and then
_TICK = 0.1  # seconds
_GOODBYE = 10.0  # seconds that the hosts are given to put their resources away


class _Place(Struct):
    """A worker of the cluster."""

    address: str
    threads: int
    inbox: Inbox
    busy: set[tuple[int, int]] = set()  # attempts
    orders: bytes = b""
    ready: bool = False  # whether the run is loaded there


class _Heard(Struct, frozen=True):
    """What the client's event loop has to say: `what` is connected, found, data, left, unfit, gone or over."""

    what: str
    address: str
    data: Any = None
    key: tuple[int, int] = (0, 0)


class Dask:
    """Makes attempts on the workers of a Dask cluster; see `Executor`.

    Each worker gets a process that loads the run's definitions once, and makes attempts in worker processes of its own.

    Args:
        attempts: describes the run.
        run_id: the run.
        address: of the scheduler; empty: a cluster in this process, for this run.
        most: how many sync steps run at once; 0: as many as the cluster has threads.
        most_async: how many async steps are under way at once.
        threads: of a cluster in this process.

    Raises:
        ClusterNotReached: nobody answers at the address, or there are no workers; from `reports`.
        NotShippable: the definitions hold something that cannot go to another process.
        NotSharedBetweenProcesses: values are to be kept in memory.
    """

    apart = True

    def __init__(
        self, attempts: Attempts, run_id: str, *, address: str, most: int, most_async: int, threads: int
    ) -> None:
        refuse_memory(attempts, "dask")
        attempts.shelf.share()
        self._attempts, self._run = attempts, f"{run_id}-{os.urandom(4).hex()}"
        storage = Path(attempts.shelf.storage)
        storage.mkdir(parents=True, exist_ok=True)
        self._witness = storage / f".{self._run}"
        shipment = shipment_of(attempts, str(storage), self._witness.name)
        self._heard: SimpleQueue[_Heard] = SimpleQueue()
        self._places: dict[str, _Place] = {}
        self._asked: set[str] = set()  # addresses of workers that are being made ready, or are
        self._of: dict[tuple[int, int], str] = {}  # where attempts are
        self._futures: dict[tuple[int, int], Any] = {}  # of Dask tasks, which end a little after their attempts
        self._waiting: deque[Task] = deque()
        self._drops: Counter[int] = Counter()
        self._next_beat = time.monotonic() + BEAT
        self._alone_since = 0.0  # 0: there is somebody, or nothing to do
        self._here: Threads | None = None
        self._cluster: Any = None  # distributed has no types
        self._client: Any = None
        self._address, self._shipment = address or "a cluster in this process", shipment
        self._most, self._most_async = most, most_async
        self.ready, self._connected_at, self._closing = False, 0.0, False
        self._witness.touch()
        if any(bound.step.executor for bound in attempts.steps):
            self._here = Threads(attempts, most=1, most_async=1)
        _library()  # in this thread
        self._connecting: Future[int] = Future()  # how many threads the cluster has
        threading.Thread(target=self._connect, args=[address, threads], name="opgraph dask", daemon=True).start()

    # -- what the driver calls --------------------------------------------------------

    def lane(self, step: int, template: int) -> int:
        """See `Executor.lane`."""
        del step
        bound = self._attempts.steps[template]
        if bound.step.executor:
            return HERE
        return ASYNC if bound.op.body.kind in ASYNC_KINDS else WORKERS

    def places(self, lane: int) -> int:
        """See `Executor.places`."""
        return {WORKERS: self._most, ASYNC: self._most_async, HERE: 1}[lane]

    def start(self, task: Task) -> bool:
        """See `Executor.start`. It goes on its way with the others that begin now, in the next call of `reports`."""
        if task.bound.step.executor:
            assert self._here is not None
            return self._here.start(task)
        self._waiting.append(task)
        return False

    def reports(self, timeout: float) -> Sequence[Report]:
        """See `Executor.reports`."""
        self._send()
        came: list[Report] = list(self._here.reports(0)) if self._here is not None else []
        try:
            wait = 0.0 if came else min(timeout, 0.01) if self._here is not None else timeout
            self._hear(self._heard.get(timeout=wait) if wait > 0 else self._heard.get_nowait(), came)
            while len(came) < _MOST_AT_ONCE:
                self._hear(self._heard.get_nowait(), came)
        except Empty:
            pass
        if not self._connected_at:
            return came
        if self._client.status != "running":
            raise ClusterLost(self._address, "its scheduler does not answer any more")
        loaded = [place.ready for place in self._places.values()]
        if not self.ready:
            self._get_ready(loaded)
        if not any(loaded) and (self._waiting or not loaded):
            self._alone_since = self._alone_since or time.monotonic()
            if time.monotonic() - self._alone_since > _ALONE:
                raise ClusterLost(self._address, f"it has had no worker for {_ALONE:g} s")
        else:
            self._alone_since = 0.0
        return came

    def order(self, step: int, attempt: int, order: Order) -> None:
        """See `Executor.order`."""
        key = (step, attempt)
        at = self._of.get(key)
        if at is not None:
            told = More(*key) if order is Order.MORE else Halt(*key, order is Order.KILL)
            self._places[at].orders += packed(told)
        elif any((task.step, task.attempt) == key for task in self._waiting):
            self._waiting = deque(task for task in self._waiting if (task.step, task.attempt) != key)
            self._heard.put(_Heard("gone", "", key=key))  # it had not left
        elif self._here is not None:
            self._here.order(step, attempt, order)
        if at is not None and order is Order.KILL:  # whether it hears this or not, it is over
            self._heard.put(_Heard("gone", at, key=key))

    def close(self) -> None:
        """See `Executor.close`. The processes of the run put their resources away, and leave."""
        self._closing = True
        if self._here is not None:
            self._here.close()
        if wait([self._connecting], _LETTING_GO).done:
            self._leave()
        else:  # then
            self._connecting.add_done_callback(lambda _: self._leave())
        self._witness.unlink(missing_ok=True)

    def _leave(self) -> None:
        client = self._client
        if client is not None and client.status == "running":
            self._send()
            ending = [future for key, future in self._futures.items() if key not in self._of]
            patience = time.monotonic() + 1.0  # Dask complains of tasks that a cluster's end cuts short
            while time.monotonic() < patience and not all(future.done() for future in ending):
                time.sleep(0.002)
            client.sync(self._say_goodbye)
            self._hear_the_rest()
            client.unsubscribe_topic("all")
            client.unsubscribe_topic(self._topic)
        if client is not None:
            client.close(timeout=_GOODBYE)
        if self._cluster is not None:
            log = logging.getLogger("distributed.worker.state_machine")  # which warns of tasks that were cut short
            level = log.level
            log.setLevel(logging.CRITICAL)
            self._cluster.close(timeout=_GOODBYE)
            log.setLevel(level)

    # -- tasks ------------------------------------------------------------------------

    def _send(self) -> None:
        """What begins now, one message for each worker; and orders."""
        new: dict[str, list[Task]] = defaultdict(list)
        ready = [place for place in self._places.values() if place.ready]
        while self._waiting and ready:
            task = self._waiting.popleft()
            place = min(ready, key=lambda each: len(each.busy) / each.threads)
            key = (task.step, task.attempt)
            self._of[key] = place.address
            place.busy.add(key)
            new[place.address].append(task)
        for address, tasks in new.items():
            place = self._places[address]
            futures = self._client.map(
                make_attempt,
                [self._run] * len(tasks),
                [task.step for task in tasks],
                [task.attempt for task in tasks],
                [packed(ask(task, self._attempts.shelf, most=None)) for task in tasks],
                [_is_beside(task) for task in tasks],
                key=[f"{task.bound.step.key}-{task.attempt}-{self._run}" for task in tasks],
                workers=[address],
                pure=False,
                retries=0,
            )
            for task, future in zip(tasks, futures, strict=True):
                key = (task.step, task.attempt)
                self._futures[key] = future
                future.add_done_callback(partial(self._is_over, key, address))
        alive = time.monotonic() > self._next_beat
        if alive:
            self._next_beat = time.monotonic() + BEAT
        for place in self._places.values():
            if place.orders or alive:
                orders, place.orders = place.orders, b""
                self._client.loop.add_callback(self._tell, place.address, orders)

    def _hear(self, heard: _Heard, came: list[Report]) -> None:
        match heard.what:
            case "data":
                self._take(heard, came)
            case "connected":
                found = self._connecting.result()  # raises what it met
                self._most = self._most or found
                self._connected_at = time.monotonic()
            case "found":
                self._places[heard.address] = _Place(heard.address, heard.data, Inbox(), set())
            case "left":
                self._bury(heard.address, came)
            case "unfit":
                if heard.address in self._places:
                    raise HostUnfit(heard.address, heard.data)
            case "gone":
                self._futures.pop(heard.key, None)
                self._forget(heard.key)
                came.append(Died(*heard.key, "was killed"))
            case _:
                self._futures.pop(heard.key, None)
                if self._of.get(heard.key) == heard.address:  # its task is over, and it has not said how
                    self._drop(heard.key, heard.data, came)

    def _take(self, heard: _Heard, came: list[Report]) -> None:
        place = self._places.get(heard.address)
        if place is None:
            return
        for message in place.inbox.add(heard.data):
            told = tells(message)
            if isinstance(told, Said):
                self._attempts.said.add(told.lines)
                continue
            if isinstance(told, Ready):
                if told.changed:
                    raise CodeChanged(f"Dask worker {heard.address}", told.changed)
                if told.refused:
                    raise WorkerCannotLoad(told.refused) if self._cluster else HostUnfit(heard.address, told.refused)
                place.ready = True
                continue
            report = to_report(told)
            key = attempt_of(report)
            if self._of.get(key) != heard.address:
                continue
            came.append(report)
            if type(report) is not Happened and type(report) is not Begun:
                self._forget(key)

    def _hear_the_rest(self) -> None:
        """What is said when resources are put away, until the processes of the run have ended."""
        left = {place.address for place in self._places.values() if place.ready}
        patience = time.monotonic() + _GOODBYE
        while left and time.monotonic() < patience:
            with suppress(Empty):
                heard = self._heard.get(timeout=_TICK)
                if heard.what == "left" or (heard.what == "data" and heard.data == GONE):
                    left.discard(heard.address)
                elif heard.what == "data":
                    self._take(heard, [])

    def _forget(self, key: tuple[int, int]) -> None:
        place = self._places.get(self._of.pop(key, ""))
        if place is not None:
            place.busy.discard(key)

    def _drop(self, key: tuple[int, int], why: str, came: list[Report]) -> None:
        self._futures.pop(key, None)
        self._forget(key)
        self._drops[key[0]] += 1
        too_often = self._drops[key[0]] >= _MOST_DROPS
        came.append(Died(*key, f"{why}, for the {_MOST_DROPS}rd time") if too_often else Dropped(*key, why))

    def _bury(self, address: str, came: list[Report]) -> None:
        """A worker is gone: what it was about begins again elsewhere."""
        self._asked.discard(address)
        place = self._places.get(address)
        if place is None:
            return
        for key in list(place.busy):
            self._drop(key, f"Dask worker {address} is gone", came)
        del self._places[address]

    # -- getting ready ------------------------------------------------------------------

    def _connect(self, address: str, threads: int) -> None:
        """In a thread of its own: what takes long is neither the run's nor its end's to wait for."""
        try:
            self._cluster, client = _connected(address, threads)
            self._client, self._topic = client, str(client.id)  # the scheduler forgets the topic when the client leaves
            client.subscribe_topic(self._topic, self._data_came)
            client.subscribe_topic("all", self._cluster_changed)
            patience = time.monotonic() + _PATIENCE
            while not (found := client.sync(self._make_ready)) and not self._closing:
                if time.monotonic() > patience:
                    raise ClusterNotReached(self._address, f"it has no workers after {_PATIENCE:g} s")
                time.sleep(_TICK)
            self._connecting.set_result(found)
        except BaseException as error:  # noqa: BLE001 - it is raised by `reports`
            self._connecting.set_exception(error)
        self._heard.put(_Heard("connected", ""))

    def _get_ready(self, loaded: list[bool]) -> None:
        """The run should begin when all workers have loaded it, or some and the others take long."""
        taken = time.monotonic() - self._connected_at
        self.ready = any(loaded) and (all(loaded) or taken > _LOADING)
        if not any(loaded) and taken > _MOST_LOADING and loaded:
            raise HostUnfit(next(iter(self._places)), f"it had not loaded the definitions after {_MOST_LOADING:g} s")

    # -- on the client's event loop -----------------------------------------------------

    def _data_came(self, event: tuple[float, Any]) -> None:
        if not isinstance(event[1], dict):  # what the scheduler itself says of the client is a dict
            address, data = event[1]
            self._heard.put(_Heard("data", address, data))

    async def _cluster_changed(self, event: tuple[float, Any]) -> None:
        told: Mapping[str, Any] = event[1]
        if told.get("action") == "remove-worker":
            self._heard.put(_Heard("left", str(told.get("worker"))))
        elif told.get("action") == "add-worker":
            await asyncio.sleep(0.1)  # it is announced before it is there
            await self._make_ready()

    async def _make_ready(self) -> int:
        """Have the run's process on each worker that has none. Returns how many threads there are."""
        counts: dict[str, int] = await self._client.scheduler.ncores()
        for address in counts.keys() - self._asked:
            self._asked.add(address)
            self._heard.put(_Heard("found", address, counts[address]))
            task = asyncio.ensure_future(self._open(address))
            task.add_done_callback(lambda done: done.exception())  # what became of it is told in other ways
        return sum(counts.values())

    async def _open(self, address: str) -> None:
        opened = await self._client.run(
            open_relay, self._run, self._topic, address, self._shipment, workers=[address], on_error="return"
        )
        problem = opened.get(address)
        if isinstance(problem, BaseException):
            self._heard.put(_Heard("unfit", address, f"{type(problem).__name__}: {problem}"))

    async def _tell(self, address: str, orders: bytes) -> None:
        await self._client.run(tell_relay, self._run, orders, workers=[address], on_error="ignore")

    async def _say_goodbye(self) -> None:
        try:
            await asyncio.wait_for(self._client.run(close_relay, self._run, on_error="ignore"), _GOODBYE)
        except (OSError, TimeoutError):  # what is out of reach ends when its worker does
            return

    def _is_over(self, key: tuple[int, int], address: str, future: Any) -> None:
        """In a thread of the client: a Dask task has ended."""
        status = future.status
        if status == "error":
            problem = future.exception()
            self._heard.put(_Heard("unfit", address, f"{problem}"))
        else:
            why = "its process on the host ended" if status == "finished" else f"its Dask task was {status}"
            self._heard.put(_Heard("over", address, why, key))


def _library() -> tuple[Any, Any]:
    """Of the extra, without types."""
    import dask
    import distributed

    return distributed, dask.config  # pyright: ignore[reportPrivateImportUsage] - it is how Dask is configured


def _connected(address: str, threads: int) -> tuple[Any, Any]:
    """A cluster, if it was started here, and a client."""
    library, settings = _library()
    address = address or str(settings.get("scheduler-address", None) or "")
    if not address:
        cluster = library.LocalCluster(
            n_workers=1,
            threads_per_worker=threads,
            processes=False,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
        return cluster, library.Client(cluster, set_as_default=False)
    try:
        return None, library.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterNotReached(address, f"{type(error).__name__}: {error}") from error


def _is_beside(task: Task) -> bool:
    """Whether a task mostly waits: on an event loop, or for what it yielded to be taken."""
    return task.bound.op.body.kind in ASYNC_KINDS or any(each.dynamic for each in task.bound.step.outputs)
