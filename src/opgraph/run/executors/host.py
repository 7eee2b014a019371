"""On a host of a cluster: a process that makes attempts of one run, by workers of its own, for a driver elsewhere.

`python -m opgraph.run.executors.host DESCRIPTOR` is started by `relay`, which passes on what is said at the descriptor.
"""

import os
import select
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

from opgraph.run.executors.mistakes import CodeChanged, NotShippable, WorkerCannotLoad
from opgraph.run.executors.processes import Processes
from opgraph.run.executors.protocol import Order
from opgraph.run.executors.shipment import load
from opgraph.run.executors.wire import Ask, Began, Halt, Inbox, More, Ready, Said, asks, of_report, packed
from opgraph.run.step.attempt import Attempts

_TICK = 0.05  # seconds
_MANY = 1_000  # attempts at once, of each kind: the driver counts


def main(descriptor: int) -> None:
    """Serve until the other end is closed."""
    line = socket.socket(fileno=descriptor)
    inbox = Inbox()
    (first, *rest) = _first(line, inbox)
    attempts = load(first)
    if isinstance(attempts, Ready):
        line.sendall(packed(attempts))
        return
    executor = Processes(attempts, most=_MANY, most_async=_MANY, here=False)
    try:
        line.sendall(packed(Ready("")))
        _serve(line, inbox, rest, attempts, executor)
    except (CodeChanged, NotShippable, WorkerCannotLoad) as refused:  # of its own workers, where they are spawned
        line.sendall(packed(Ready(refused.what)))
    finally:
        executor.close()
        lines = attempts.said.drain()  # what was said when resources were put away
        if lines:
            with suppress(OSError):  # the relay is gone
                line.sendall(packed(Said(lines)))


def _first(line: socket.socket, inbox: Inbox) -> list[bytes]:
    while data := line.recv(1 << 20):
        messages = list(inbox.add(data))
        if messages:
            return messages
    sys.exit()  # the relay is gone


def _serve(
    line: socket.socket, inbox: Inbox, messages: Sequence[bytes], attempts: Attempts, executor: Processes
) -> None:
    while True:
        for message in messages:
            _do(line, message, attempts, executor)
        readable, _, _ = select.select([line, executor], [], [], _TICK)
        answer = b"".join(packed(of_report(report)) for report in executor.reports(0))
        lines = attempts.said.drain()
        if lines or answer:
            line.sendall(packed(Said(lines)) + answer if lines else answer)
        messages = ()
        if line in readable:
            data = line.recv(1 << 20)
            if not data:
                return
            messages = list(inbox.add(data))


def _do(line: socket.socket, message: bytes, attempts: Attempts, executor: Processes) -> None:
    order = asks(message)
    if isinstance(order, Ask):
        attempts.shelf.lent = {(run, seq): blob for run, seq, blob in order.lent}
        attempts.shelf.known = order.known
        if executor.start(order.task(attempts.steps)) and order.timed:
            line.sendall(packed(Began(order.step, order.attempt)))
    elif isinstance(order, More):
        executor.order(order.step, order.attempt, Order.MORE)
    else:
        assert isinstance(order, Halt)
        executor.order(order.step, order.attempt, Order.KILL if order.kill else Order.STOP)


if __name__ == "__main__":
    os.set_inheritable(int(sys.argv[1]), False)  # noqa: FBT003 - the name of the parameter is the function's
    main(int(sys.argv[1]))
