"""The definitions as the server sees them: a process of their own that is asked, and what it said last.

This process never imports user code. When files change another child loads them; while that goes on, and if it fails,
the one before goes on answering what does not start anything.
"""

import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from opgraph.operate.project import Location
from opgraph.show.web import messages as m
from opgraph.show.web.launching import encoded
from opgraph.show.web.reports import Refused

_LOADING = 120.0  # seconds that importing the user's files may take
_ANSWER = 30.0  # seconds that one answer may take, and
_PICTURE = 90.0  # that of a drawing, which is remembered

Json = dict[str, Any]


class ChildGone(Exception):
    """The process of the definitions ended or does not answer.

    Args:
        why: what happened, for people.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class Child:
    """One process that has loaded the definitions, or failed to.

    Args:
        location: where they are.
    """

    def __init__(self, location: Location) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "opgraph.show.web.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=location.root,
            start_new_session=True,  # Ctrl-C in the terminal is the server's to handle
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._rest = b""
        self._send(address(location))

    def first_word(self) -> Json:
        """What it says once it has loaded.

        Raises:
            ChildGone: it ended before, or took too long.
        """
        return msgspec.json.decode(self._read(_LOADING, "loading the definitions"))

    def ask(self, what: str, given: Json) -> dict[str, msgspec.Raw]:
        """An answer, of which nothing is read yet.

        Raises:
            ChildGone: it ended, or took too long and was ended.
        """
        with self._lock:
            self._number += 1
            self._send({"id": self._number, "do": what, "with": given})
            line = self._read(_PICTURE if what == "drawing" else _ANSWER, "answering")
        return msgspec.json.decode(line, type=dict[str, msgspec.Raw])

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._in, self._out):
            with suppress(OSError):  # what was not sent yet has nobody to go to
                pipe.close()

    def _send(self, message: Json) -> None:
        try:
            self._in.write(encoded(message))
            self._in.flush()
        except (OSError, ValueError) as error:
            raise ChildGone("the process of the definitions ended") from error

    def _read(self, seconds: float, doing: str) -> bytes:
        ends = time.monotonic() + seconds
        pieces = [self._rest]
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(self._out, selectors.EVENT_READ)
                while b"\n" not in pieces[-1]:
                    if not selector.select(max(ends - time.monotonic(), 0)):
                        self._process.kill()
                        raise ChildGone(f"{doing} took longer than {seconds:.0f} s, and was ended")
                    piece = os.read(self._out.fileno(), 1 << 20)
                    if not piece:
                        code = self._process.wait()
                        how = f"by signal {-code}" if code < 0 else f"with code {code}"
                        raise ChildGone(f"the process of the definitions ended {how} while {doing}")
                    pieces.append(piece)
            except (OSError, ValueError) as error:
                raise ChildGone("the process of the definitions was ended") from error
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        return line


def address(location: Location) -> Json:
    """What another process needs to find the same project."""
    return {
        "file": str(location.file) if location.file is not None else None,
        "module": location.module,
        "attribute": location.attribute or None,
        "start": str(location.root),
    }


class Loaded:
    """The definitions: loaded again whenever that is asked for; the last good ones stay.

    Args:
        location: where they are.
        changed: called, in some thread, when the project's state has changed.
        tell: called with why they do not load, and with None when they do again.
    """

    def __init__(
        self,
        location: Location,
        changed: Callable[[], None] = lambda: None,
        tell: Callable[[m.ProjectError | None], None] = lambda _: None,
    ) -> None:
        self.location = location
        self.manifest: Json = {"id": "", "name": "", "assets": [], "units": {}, "jobs": [], "loaded_at": None}
        self.by_id: dict[str, Json] = {}
        self.error: m.ProjectError | None = None
        self.loading = False
        self._changed, self._tell = changed, tell
        self._child: Child | None = None
        self._wanted = 0  # the number of the newest load that was asked for
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._closed = False

    def load(self) -> None:
        """Load them, anew if they are. Of several calls meanwhile, one more load comes of it."""
        with self._lock:
            self._wanted += 1
            mine = self._wanted
            self.loading = True
        self._changed()
        with self._one_at_a_time:
            if mine != self._wanted or self._closed:
                return
            self._load()
            with self._lock:
                self.loading = mine != self._wanted
        self._changed()

    def _load(self) -> None:
        child: Child | None = None
        try:
            child = Child(self.location)
            said = child.first_word()
        except (ChildGone, OSError) as problem:
            said = {"broken": m.ProjectError(kind="DefinitionsGone", text=str(problem)).model_dump()}
        if "manifest" not in said or child is None:
            if child is not None:
                child.close()
            known, self.error = self.error, m.ProjectError.model_validate(said["broken"])
            if self.error != known:
                self._tell(self.error)
            return
        before, self._child = self._child, child
        self.manifest = said["manifest"]
        self.by_id = {each["id"]: each for each in self.manifest["assets"]}
        if self.error is not None:
            self.error = None
            self._tell(None)
        if before is not None:
            before.close()
        if self._closed:
            child.close()

    def ask(self, what: str, /, **given: Any) -> Any:
        """What the definitions say to something; raises what `said` does."""
        return msgspec.json.decode(self.said(what, **given))

    def said(self, what: str, /, **given: Any) -> msgspec.Raw:
        """The same as the JSON that it is.

        Raises:
            Refused: they say that it cannot be; there are none; their process does not answer.
        """
        child = self._child
        if child is None:
            with self._one_at_a_time:  # the first load goes on: wait for it
                child = self._child
        if child is None:
            text = self.error.text if self.error is not None else "the definitions are not loaded"
            raise Refused.of(409, "DefinitionsBroken", f"the definitions cannot be loaded: {text}")
        try:
            reply = child.ask(what, given)
        except ChildGone as gone:
            if self._child is not child and self._child is not None:  # its successor was ready meanwhile
                return self.said(what, **given)
            threading.Thread(target=self._after_a_crash, args=(child,), daemon=True).start()
            raise Refused.of(503, "DefinitionsGone", f"{gone.why}; it is started again") from None
        if "problem" in reply:
            raise Refused(400, m.Problem.model_validate_json(bytes(reply["problem"])))
        return reply["ok"]

    def must_be_whole(self) -> None:
        """For what starts something. Where they did not load they are loaded again: they may be mended since, and under
        `serve` nobody else looks.

        Raises:
            Refused: the files on disk do not load: what would run is not what is shown.
        """
        if self.error is not None:
            self.load()
        if self.error is not None:
            raise Refused.of(409, "DefinitionsBroken", f"the definitions cannot be loaded: {self.error.text}")

    def state(self) -> m.Project:
        """Where they stand."""
        status = "loading" if self.loading else "broken" if self.error is not None else "ready"
        return m.Project(
            status=status,
            error=self.error,
            manifest=self.manifest["id"],
            name=self.manifest["name"],
            loaded_at=self.manifest["loaded_at"],
            assets=len(self.manifest["assets"]),
            jobs=[m.Job.model_validate(job) for job in self.manifest["jobs"]],
        )

    def _after_a_crash(self, child: Child) -> None:
        with self._lock:
            again = self._child is child
        if again and not self.loading:
            self.load()

    def close(self) -> None:
        """End the process."""
        self._closed = True
        if self._child is not None:
            self._child.close()
