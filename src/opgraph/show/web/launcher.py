"""Starting runs, each in a process of its own that outlives the server."""

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from typing import Any

from opgraph.operate.project import Location
from opgraph.show.web import messages as m
from opgraph.show.web.definitions import address
from opgraph.show.web.launching import encoded
from opgraph.show.web.reports import Refused

_BEGINS = 180.0  # seconds until a run must be recorded: importing the user's files is part of it

Json = dict[str, Any]


class Launcher:
    """Starts the processes of runs.

    Args:
        location: the project.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def start(self, given: Json) -> str:
        """Start a run. Gives its id, once it is recorded.

        Raises:
            Refused: it cannot be run; its process ended before it was recorded.
        """
        process = subprocess.Popen(
            [sys.executable, "-m", "opgraph.show.web.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._location.root,
            start_new_session=True,  # it has its own terminal signals, and goes on without this server
        )
        self.reap()
        with self._lock:
            self._children.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            try:
                process.stdin.write(encoded({"where": address(self._location), "run": given}))
                process.stdin.flush()
            except OSError:
                pass  # it died: what is read tells
            said = _first_line(process)
        if "run_id" in said:
            return said["run_id"]
        if "problem" in said:
            process.wait(10)  # it has nothing left to do
            raise Refused(400, m.Problem.model_validate(said["problem"]))
        raise Refused.of(503, "RunNotStarted", said["why"])

    def reap(self) -> None:
        """Take note of processes that ended, so that none stays behind as a zombie."""
        with self._lock:
            self._children = [each for each in self._children if each.poll() is None]


def _first_line(process: "subprocess.Popen[bytes]") -> Json:
    assert process.stdout is not None
    ends, data = time.monotonic() + _BEGINS, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not data.endswith(b"\n"):
            if not selector.select(max(ends - time.monotonic(), 0)):
                process.kill()
                return {"why": f"the run did not begin within {_BEGINS:.0f} s, and its process was ended"}
            piece = os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                code = process.wait()
                how = f"by signal {-code}" if code < 0 else f"with code {code}"
                return {"why": f"the process of the run ended {how} before the run began"}
            data += piece
    return json.loads(data)
