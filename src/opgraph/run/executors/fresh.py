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
_PROGRAM = "import sys; sys.path[:] = sys.argv.pop(1).split({sep!r}); from {module} import main; main(*sys.argv[1:7])"


def begin(line: socket.socket, page: int, out: int, err: int, *, several: bool) -> "subprocess.Popen[bytes]":
    """Start one; the first message that it wants is the shipment.

    Args:
        line: its end.
        page: the file that it shares with the driver.
        out: takes what is written to descriptor 1 when it has loaded the definitions: what these print is not a step's.
        err: the same for descriptor 2.
        several: whether it makes async attempts, many at once.
    """
    told = (line.fileno(), page, out, err, os.getpid(), int(several))
    program = _PROGRAM.format(sep=os.pathsep, module=__name__)
    path = os.pathsep.join(each for each in sys.path if each) or os.defpath
    return subprocess.Popen(
        [sys.executable, "-c", program, path, *map(str, told)],
        pass_fds=told[:4],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )


def main(line_number: str, page: str, out: str, err: str, parent: str, several: str) -> None:
    """In the new interpreter."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until there is a step to interrupt
    die_with(int(parent))
    numbers = [int(each) for each in (line_number, page, out, err)]
    for number in numbers:
        os.set_inheritable(number, False)  # noqa: FBT003 - the name of the parameter is the function's
    line = socket.socket(fileno=numbers[0])
    (length,) = LENGTH.unpack(_read(line, LENGTH.size))
    loaded = load(_read(line, length))
    line.sendall(packed(loaded if isinstance(loaded, Ready) else Ready("")))
    if not isinstance(loaded, Ready):
        be_worker(loaded, line, mmap(numbers[1], 4096), numbers[2], numbers[3], int(parent), several=several == "1")


def _read(line: socket.socket, size: int) -> bytes:
    data = line.recv(size, socket.MSG_WAITALL)
    if len(data) < size:
        os._exit(0)  # the driver is gone
    return data
