"""A worker process that is not forked: a new interpreter, which loads what was shipped to it."""

import os
import signal
import socket
import subprocess
import sys
from mmap import mmap

from opgraph.run.executors.shipment import load
from opgraph.run.executors.wire import LENGTH, Ready, packed
from opgraph.run.executors.worker import be_worker, die_with

# Where the driver looks for modules is where this one does, also for our own.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv.pop(1).split({sep!r}); from {module} import main; main(*map(int, sys.argv[1:]))"
)


def begin(line: socket.socket, others: tuple[int, int, int, int], *, several: bool) -> "subprocess.Popen[bytes]":
    """Start one; the first message that it wants is the shipment.

    Args:
        line: its end.
        others: the file that it shares with the driver, and three pipes; see `be_worker`. What is printed while it
            loads the definitions is not a step's, and does not get there.
        several: whether it makes async attempts, many at once.
    """
    numbers = (line.fileno(), *others)
    told = (*numbers, os.getpid(), int(several))
    program = _PROGRAM.format(sep=os.pathsep, module=__name__)
    path = os.pathsep.join(each for each in sys.path if each) or os.defpath
    return subprocess.Popen(
        [sys.executable, "-c", program, path, *map(str, told)],
        pass_fds=numbers,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )


def main(line_number: int, page: int, out: int, err: int, story: int, parent: int, several: int) -> None:
    """In the new interpreter."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until there is a step to interrupt
    die_with(parent)
    for number in (line_number, page, out, err, story):
        os.set_inheritable(number, False)  # noqa: FBT003 - the name of the parameter is the function's
    line = socket.socket(fileno=line_number)
    (length,) = LENGTH.unpack(_read(line, LENGTH.size))
    loaded = load(_read(line, length))
    line.sendall(packed(loaded if isinstance(loaded, Ready) else Ready("")))
    if not isinstance(loaded, Ready):
        be_worker(loaded, line, mmap(page, 4096), (out, err, story), parent, several=bool(several))


def _read(line: socket.socket, size: int) -> bytes:
    data = line.recv(size, socket.MSG_WAITALL)
    if len(data) < size:
        os._exit(0)  # the driver is gone
    return data
