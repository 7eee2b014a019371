"""Starting runs, each in a process of its own that outlives the server."""

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from opgraph.events import ErrorInfo
from opgraph.operate.execute import never_began
from opgraph.operate.inspect import BEGINS
from opgraph.operate.project import Location
from opgraph.run.instance import Instance
from opgraph.show.web import messages as m
from opgraph.show.web.definitions import address
from opgraph.show.web.launching import encoded
from opgraph.show.web.reports import Refused

Json = dict[str, Any]


class Launcher:
    """Starts the processes of runs.

    Args:
        location: the project.
        instance: where runs are recorded.
        ended: called when a run ended before it began: its process found other code than was planned.
    """

    def __init__(self, location: Location, instance: Instance, ended: Callable[[], None]) -> None:
        self._location, self._instance, self._ended = location, instance, ended
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def start(self, given: Json, run_id: str) -> None:
        """Start the process that takes up a run which was recorded. What keeps it from that is written on the run."""
        process = self._process(given, run_id)
        threading.Thread(target=self._await, args=(process, run_id), name="launch", daemon=True).start()

    def take_up_again(self, given: Json) -> str:
        """Go on with a run whose process died. Gives its id, or that of the new run, once that has begun.

        Raises:
            Refused: it cannot be run; its process ended before it began.
        """
        process = self._process(given, "")
        said = _first_line(process)
        if "run_id" in said:
            return said["run_id"]
        if "problem" in said:
            process.wait(10)  # it has nothing left to do
            raise Refused(400, m.Problem.model_validate(said["problem"]))
        raise Refused.of(503, "RunNotStarted", said["why"])

    def _process(self, given: Json, run_id: str) -> "subprocess.Popen[bytes]":
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
        with suppress(OSError), process.stdin:  # it died: what is read tells
            process.stdin.write(encoded({"where": address(self._location), "run": given, "run_id": run_id}))
        return process

    def _await(self, process: "subprocess.Popen[bytes]", run_id: str) -> None:
        said = _first_line(process)
        if "run_id" in said:
            return
        text = said["why"] if "why" in said else said["problem"]["text"] if "problem" in said else ""
        if text:
            never_began(self._instance, run_id, ErrorInfo("RunNotStarted", text, during="worker"))
        else:
            self._ended()  # its code is importable, and not what was planned; broken code must not replace what works

    def reap(self) -> None:
        """Take note of processes that ended, so that none stays behind as a zombie."""
        with self._lock:
            self._children = [each for each in self._children if each.poll() is None]


def _first_line(process: "subprocess.Popen[bytes]") -> Json:
    assert process.stdout is not None
    ends, data = time.monotonic() + BEGINS, b""
    with process.stdout, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not data.endswith(b"\n"):
            if not selector.select(max(ends - time.monotonic(), 0)):
                process.kill()
                return {"why": f"the run did not begin within {BEGINS:.0f} s, and its process was ended"}
            piece = os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                code = process.wait()
                how = f"by signal {-code}" if code < 0 else f"with code {code}"
                return {"why": f"the process of the run ended {how} before the run began"}
            data += piece
    return json.loads(data)
