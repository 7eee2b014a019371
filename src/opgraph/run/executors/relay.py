"""In a worker of a Dask cluster: hands tasks to the run's own process on this host, and its messages to the driver."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from opgraph.events import ErrorInfo
from opgraph.run.executors.wire import End, Fell, Gone, Halt, Inbox, Obeyed, Ready, asks, packed, prefixed, tells

GONE = b""  # what is said last: the process has ended
BEAT = 15.0  # seconds between two signs of life of the driver
_SILENCE = 90.0  # seconds without one after which a host gives the run up
_PATIENCE = 600.0  # seconds that a host is given to load the definitions


class Relay:
    """A run's process on this host.

    Args:
        shipment: what it is to load.
        send: takes what it says, for the driver.
        quiet: whether what it prints while it loads the definitions is nobody's to read.
    """

    def __init__(self, shipment: bytes, send: Callable[[bytes], None], *, quiet: bool) -> None:
        self._send = send
        self._line, its_line = socket.socketpair()
        descriptor = its_line.fileno()
        command = [sys.executable, "-m", "opgraph.run.executors.host", str(descriptor)]
        # In a session of its own: Ctrl-C at a terminal is the driver's to hear.
        told = subprocess.DEVNULL if quiet else None
        self._process = subprocess.Popen(
            command,
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
        its_line.close()
        self._ready = threading.Event()
        self._refused = ""
        self.is_dead = False
        self._heard = time.monotonic()  # when the driver last spoke
        self._lock = threading.Lock()  # of the line, and of what is under way
        self._under_way: dict[tuple[int, int], threading.Event] = {}
        self._halted: set[tuple[int, int]] = set()  # before they had begun
        threading.Thread(target=self._listen, args=[shipment], name="opgraph relay", daemon=True).start()

    def make(self, step: int, attempt: int, ask: bytes) -> None:
        """Have an attempt made; returns when it is over, or when the driver knows that this process cannot make it."""
        if not self._ready.wait(_PATIENCE):
            self._refuse(f"it had not loaded the definitions after {_PATIENCE:g} s")
        over = threading.Event()
        with self._lock:
            if self._refused:
                return
            if (step, attempt) in self._halted:
                stopped = ErrorInfo("KeyboardInterrupt", "told to stop before it had begun")
                self._send(packed(Obeyed(step, attempt, stopped)))
                return
            if self.is_dead:
                self._send(packed(Fell(step, attempt, "its process on the host had ended", blamed=False)))
                return
            self._under_way[step, attempt] = over
            self._say(ask)
        over.wait()

    def obey(self, orders: bytes) -> None:
        """Pass on what the driver says; if it is nothing, it is still there."""
        self._heard = time.monotonic()
        with self._lock:
            for message in Inbox().add(orders):
                order = asks(message)
                if (order.step, order.attempt) in self._under_way:
                    self._say(prefixed(message))
                elif isinstance(order, Halt):
                    self._halted.add((order.step, order.attempt))

    def close(self) -> None:
        """The run is over: the process puts its resources away and leaves."""
        if not self._ready.is_set():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # nothing of the run is in it yet
        with suppress(OSError):  # it is gone
            self._line.shutdown(socket.SHUT_WR)

    def _refuse(self, why: str) -> None:
        self._refused = why
        self._send(packed(Ready(why)))

    def _say(self, data: bytes) -> None:
        with suppress(OSError):  # it is gone, which the thread that listens finds out too
            self._line.sendall(data)

    def _listen(self, shipment: bytes) -> None:
        self._say(prefixed(shipment))
        inbox = Inbox()
        while data := self._received():
            passed: list[bytes] = []
            ended: list[tuple[int, int]] = []
            for message in inbox.add(data):
                told = tells(message)
                if isinstance(told, Ready):
                    self._refused = told.refused
                    self._ready.set()
                passed.append(prefixed(message))
                if isinstance(told, End):
                    ended.append((told.fact.step, told.fact.attempt))
                elif isinstance(told, (Gone, Obeyed, Fell)):
                    ended.append((told.step, told.attempt))
            if passed:
                self._send(b"".join(passed))
            with self._lock:
                over = [self._under_way.pop(key, None) for key in ended]
            for event in over:
                if event is not None:
                    event.set()
        how = self._process.wait()
        with self._lock:
            self.is_dead = True
            if not self._ready.is_set():
                self._refuse(f"its process ended with code {how} while it loaded them")
            for event in self._under_way.values():
                event.set()
        self._ready.set()
        self._line.close()
        self._send(GONE)

    def _received(self) -> bytes:
        try:
            while not select.select([self._line], [], [], BEAT)[0]:
                if time.monotonic() - self._heard > _SILENCE:  # the driver was killed: nobody says that the run is over
                    self.close()
            return self._line.recv(1 << 20)
        except OSError:
            return b""


_relays: dict[str, Relay] = {}
_lock = threading.Lock()
_opened: dict[str, Callable[[], Relay]] = {}


def open_relay(run: str, topic: str, address: str, shipment: bytes, dask_worker: Any = None) -> None:
    """On each worker, before its first task of a run: what it says is sent to `topic`. `dask_worker` is Dask's."""

    def send(data: bytes) -> None:
        dask_worker.log_event(topic, [address, data])

    with _lock:
        # In the driver's process that has said it all already.
        _opened[run] = lambda: Relay(shipment, send, quiet=address.startswith("inproc:"))
        _relays[run] = _opened[run]()


def make_attempt(run: str, step: int, attempt: int, ask: bytes, beside: bool) -> None:
    """A Dask task: one attempt. `beside`: it mostly waits, so it does not count among the worker's threads."""
    from distributed import secede  # it is there, in a worker of Dask

    if beside:
        secede()
    with _lock:
        relay = _relays.get(run)
        if relay is None or relay.is_dead:
            if run not in _opened:  # the run is over
                return
            relay = _relays[run] = _opened[run]()
    relay.make(step, attempt, ask)


def tell_relay(run: str, orders: bytes) -> None:
    """Pass orders on."""
    relay = _relays.get(run)
    if relay is not None:
        relay.obey(orders)


def close_relay(run: str) -> None:
    """The run is over."""
    _opened.pop(run, None)
    relay = _relays.pop(run, None)
    if relay is not None:
        relay.close()
