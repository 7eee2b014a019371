"""What the ops of a run say: by `context.log`, by `logging`, by printing.

While any run of this process is under way, `sys.stdout`, `sys.stderr` and the root logger pass through here. A context
variable says which step is speaking, so runs may be nested and steps may share the process; what nobody's step says
goes on as before. A step that says nothing costs two assignments of that variable.
"""

import io
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from dataclasses import replace
from functools import partial
from inspect import currentframe
from typing import Any, Self, TextIO, TypeAlias

from opgraph.declare.settings.secrets import hide
from opgraph.events import LogLine
from opgraph.run.failure import writable
from opgraph.run.logs import NONE, LogSettings, masked

STEP_LIMIT = 10_000_000  # characters kept of a step: the first half, and the last
LINE_LIMIT = 32_000  # a longer line is kept as several
_QUIET = 0.3  # seconds after which a line that was begun is shown, though it has not ended
_PATIENCE = 2.0  # seconds that it is waited for where more of it comes all the time
_OVERHEAD = 100  # what a line costs besides its text, so that empty lines end too

_NOTHING: Mapping[str, str] = {}
Speaker: TypeAlias = "tuple[Captured, int, int] | None"
_speaker: ContextVar[Speaker] = ContextVar("opgraph_speaker", default=None)


class Captured:
    """Collects what the steps of one run say. `with` it around the run; the driver drains it into the record.

    Args:
        forward: whether lines also go where they would have gone without us.
        limit: characters kept of each attempt of a step.
        logs: what the instance does with log lines.
        told: facts that each record of `logging` gets: of which run it is.
    """

    __slots__ = ("_limit", "_lines", "_lock", "_voices", "context_of", "forward", "key_of", "logs", "on_line", "told")

    def __init__(
        self,
        *,
        forward: bool = False,
        limit: int = STEP_LIMIT,
        logs: LogSettings = NONE,
        told: Mapping[str, str] = _NOTHING,
    ) -> None:
        self.forward = forward
        self.logs = logs
        self.told = told
        self.key_of: Callable[[int], str] | None = None  # set by who knows the steps
        self.context_of: Callable[[int, int], Any] | None = None  # set by who runs the steps
        self._limit = limit
        self._lock = threading.RLock()  # garbage that is collected while it is held may print
        self._lines: list[LogLine] = []
        self._voices: dict[tuple[int, int], _Voice] = {}
        self.on_line: Callable[[], None] | None = None  # called when something was said

    def __reduce__(self) -> tuple[Any, ...]:
        """As it goes to another host: what was said here stays here, and so do the instance's handlers."""
        return partial(Captured, limit=self._limit, logs=replace(self.logs, handlers=()), told=self.told), ()

    def __enter__(self) -> Self:
        _install()
        return self

    def __exit__(self, *_: object) -> None:
        _uninstall()

    def enter(self, step: int, attempt: int) -> "Token[Speaker]":
        """From here on this step speaks, in this thread or task."""
        return _speaker.set((self, step, attempt))

    def leave(self, token: "Token[Speaker]") -> None:
        """The step that entered with this token ended: what it had not finished saying is complete."""
        if self._voices:
            speaker = _speaker.get()
            if speaker is not None:
                self._finish(speaker[1], speaker[2])
        _speaker.reset(token)

    @contextmanager
    def of_the_run(self) -> Generator[None]:
        """What is said meanwhile in this thread is the run's: no step is under way."""
        with self:
            token = self.enter(-1, 0)
            try:
                yield
            finally:
                self.leave(token)

    def drain(self) -> list[LogLine]:
        """The lines since the last call."""
        if self._voices:
            self._ripen(time.monotonic())
        if not self._lines:
            return []
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def _ripen(self, now: float) -> None:
        """What was printed without the end of its line, and waits for it too long, is a line."""
        with self._lock:
            for voice in list(self._voices.values()):
                if voice.partial and (now - voice.latest > _QUIET or now - voice.first > _PATIENCE):
                    voice.end_lines(self._lines)

    def put_back(self, lines: list[LogLine]) -> None:
        """Lines that were drained and could not be kept."""
        with self._lock:
            self._lines[:0] = lines

    def add(self, lines: Iterable[LogLine]) -> None:
        """Lines that a worker kept of its steps."""
        with self._lock:
            self._lines.extend(lines)
        if self.forward:
            for line in lines:
                if line.level in ("STDOUT", "STDERR"):
                    _original(line.level.lower()).write(line.text + "\n")
                elif logging.getLevelNamesMapping().get(line.level, 0) >= logging.INFO:
                    _original("stderr").write(f"{line.level} {line.text}\n")

    def overhear(self, step: int, attempt: int, stream: str, text: str) -> None:
        """Keep what a step's process wrote past `sys.stdout` and `sys.stderr`."""
        self.write(step, attempt, stream, text)
        if self.forward:
            _original(stream.lower()).write(text)

    def finish(self, step: int, attempt: int) -> None:
        """A step said everything that it had to say."""
        if self._voices:
            self._finish(step, attempt)

    def renew(self) -> None:
        """In a forked child: what others were about to say, and the locks they held, stayed with the parent."""
        global _lock, _runs  # noqa: PLW0603 - another thread of the parent may have held it
        _lock, self._lock = threading.Lock(), threading.RLock()
        self._lines, self._voices, self.forward = [], {}, False
        while _installed:
            _installed.pop().remove()
        _runs = 0

    def say(self, step: int, attempt: int, level: str, logger: str, text: str) -> None:
        """Keep whole lines of a step, or of the run itself (step -1)."""
        with self._lock:
            self._voice(step, attempt).say(level, logger, text, self._lines)
        if self.on_line is not None:
            self.on_line()

    def write(self, step: int, attempt: int, stream: str, text: str) -> None:
        """Keep a piece of text that was printed; lines are kept when they end."""
        with self._lock:
            self._voice(step, attempt).write(stream, text, self._lines)
        if self.on_line is not None:
            self.on_line()

    def tell(self, record: logging.LogRecord, step: int, key: str = "") -> None:
        """Put into a record of which run and step it is; `key`: of a step that has ended."""
        record.__dict__.update(self.told, step_key=key or (self.key_of(step) if self.key_of and step >= 0 else ""))

    def hand_on(self, record: logging.LogRecord, step: int, key: str = "") -> None:
        """Give what `context.log` said to handlers: the instance's, and those that the program gave to `logging`."""
        record = masked(record)
        self.tell(record, step, key)
        record.__dict__["opgraph"] = True
        logger = logging.getLogger("opgraph")
        heard = logger.isEnabledFor(record.levelno)
        token = _speaker.set(None)  # what a handler prints is not the step's
        try:
            self.logs.hand(record)
            if heard and logger.hasHandlers():
                logger.handle(record)
        finally:
            _speaker.reset(token)
        if self.forward and heard and record.levelno >= logging.INFO and not _shown(record, self.logs.handlers):
            _original("stderr").write(f"{record.levelname} {record.getMessage()}\n")

    def _voice(self, step: int, attempt: int) -> "_Voice":
        voice = self._voices.get((step, attempt))
        if voice is None:
            voice = self._voices[step, attempt] = _Voice(step, attempt, self._limit // 2)
        return voice

    def _finish(self, step: int, attempt: int) -> None:
        with self._lock:
            voice = self._voices.pop((step, attempt), None)
            if voice is not None:
                voice.finish(self._lines)


class _Voice:
    """What one attempt of a step says: the head goes straight on, the tail waits for the end."""

    __slots__ = (
        "attempt", "dropped", "dropped_size", "first", "half", "head", "latest", "partial", "step", "tail", "tail_size",
    )  # fmt: skip

    def __init__(self, step: int, attempt: int, half: int) -> None:
        self.step = step
        self.attempt = attempt
        self.half = half
        self.head = 0
        self.tail: deque[LogLine] = deque()
        self.tail_size = 0
        self.dropped = self.dropped_size = 0  # lines, and their characters
        self.partial: dict[str, str] = {}  # lines that have not ended
        self.first = self.latest = 0.0  # when the oldest of them began, and when the last piece came

    def write(self, stream: str, text: str, lines: list[LogLine]) -> None:
        text = self.partial.pop(stream, "") + text
        *whole, rest = text.split("\n")
        for line in whole:
            self.say(stream, "", line, lines)
        if len(rest) > LINE_LIMIT:
            self.say(stream, "", rest, lines)
        elif rest:
            self.latest = time.monotonic()
            if whole or not self.partial:
                self.first = self.latest
            self.partial[stream] = rest

    def say(self, level: str, logger: str, text: str, lines: list[LogLine]) -> None:
        now, text = time.time(), writable(hide(text))
        for start in range(0, len(text) or 1, LINE_LIMIT):
            line = LogLine(self.step, self.attempt, now, level, logger, text[start : start + LINE_LIMIT])
            cost = len(line.text) + _OVERHEAD
            if not self.tail and self.head + cost <= self.half:
                self.head += cost
                lines.append(line)
                continue
            self.tail.append(line)
            self.tail_size += cost
            while self.tail_size > self.half:
                gone = len(self.tail.popleft().text)
                self.tail_size -= gone + _OVERHEAD
                self.dropped += 1
                self.dropped_size += gone

    def end_lines(self, lines: list[LogLine]) -> None:
        for stream, rest in self.partial.items():
            self.say(stream, "", rest, lines)
        self.partial.clear()

    def finish(self, lines: list[LogLine]) -> None:
        self.end_lines(lines)
        if self.dropped:
            lost = f"{self.dropped:,} line{'s' * (self.dropped > 1)} ({self.dropped_size:,} characters)"
            text = (
                f"... {lost} {'were' if self.dropped > 1 else 'was'} left out here: of what one attempt of an op says, "
                f"the first and the last {self.half:,} characters are kept ..."
            )
            lines.append(LogLine(self.step, self.attempt, time.time(), "WARNING", "opgraph", text))
        lines.extend(self.tail)


class StepLog:
    """`context.log`: like a `logging.Logger`, for one attempt of a step.

    Example:
        >>> context.log.info("%d rows", 3)
    """

    __slots__ = ("_attempt", "_said", "_step", "name")

    def __init__(self, said: Captured, step: int, attempt: int, name: str = "opgraph") -> None:
        self._said = said
        self._step = step
        self._attempt = attempt
        self.name = name

    def log(
        self,
        level: int | str,
        msg: object,
        *args: object,
        exc_info: Any = None,
        extra: Mapping[str, Any] = _NOTHING,
        **_: Any,
    ) -> None:
        """Say something at a level: a number or a name of `logging`."""
        number = level if isinstance(level, int) else logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
        if exc_info is True:
            exc_info = sys.exc_info()
        elif isinstance(exc_info, BaseException):
            exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
        if number < self._said.logs.level:
            return
        frame = currentframe()
        while frame is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back
        file, line, function = (
            (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name) if frame is not None else ("", 0, "")
        )
        record = logging.LogRecord(self.name, number, file, line, msg, args, exc_info or None, function)
        record.__dict__.update(extra)
        self._said.say(self._step, self._attempt, record.levelname, self.name, _format(record))
        self._said.hand_on(record, self._step)

    def debug(self, msg: object, *args: object, **more: Any) -> None:
        """Say something for whoever looks for a mistake."""
        self.log(logging.DEBUG, msg, *args, **more)

    def info(self, msg: object, *args: object, **more: Any) -> None:
        """Say what goes on."""
        self.log(logging.INFO, msg, *args, **more)

    def warning(self, msg: object, *args: object, **more: Any) -> None:
        """Say what may be wrong."""
        self.log(logging.WARNING, msg, *args, **more)

    def error(self, msg: object, *args: object, **more: Any) -> None:
        """Say what is wrong."""
        self.log(logging.ERROR, msg, *args, **more)

    def critical(self, msg: object, *args: object, **more: Any) -> None:
        """Say what ends it all."""
        self.log(logging.CRITICAL, msg, *args, **more)

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        """Say what is wrong, with the traceback of the exception that is being handled."""
        self.log(logging.ERROR, msg, *args, exc_info=exc_info, **more)

    warn = warning
    fatal = critical

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name in `logging`
        """Always: everything is kept."""
        del level
        return True


_format = logging.Formatter("%(message)s").format


# -- what passes through us while a run is under way --------------------------------


class _Printed(io.TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr`: what a step prints is its own, the rest goes on.

    No step can close it, nor take it apart: it belongs to all that run.
    """

    def __init__(self, stream: str, original: TextIO) -> None:
        self._stream = stream.upper()
        self.original = original

    def write(self, text: str, /) -> int:
        speaker = _speaker.get()
        if speaker is None:
            return self.original.write(text)
        said, step, attempt = speaker
        said.write(step, attempt, self._stream, text)
        if said.forward:
            self.original.write(text)
        return len(text)

    def flush(self) -> None:
        self.original.flush()

    def close(self) -> None:
        with suppress(ValueError):  # the program has closed its own
            self.flush()

    # What else a text stream has would be that of one that is nowhere.

    def fileno(self) -> int:
        return self.original.fileno()

    def isatty(self) -> bool:
        return self.original.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - it is read only there, too
        return self.original.encoding

    @property
    def errors(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.original.errors

    @property
    def newlines(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.original.newlines

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _Logged(logging.Handler):
    """Keeps what steps say by `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        if "opgraph" in record.__dict__:
            return  # `context.log` has kept it
        speaker = _speaker.get()
        if speaker is not None:
            try:
                said, step, attempt = speaker
                said.say(step, attempt, record.levelname, record.name, _format(record))
                if said.logs.manages(record.name):
                    record = masked(record)
                    said.tell(record, step)
                    said.logs.hand(record)
            except Exception:  # noqa: BLE001 - a bad format string is reported as `logging` does, and fails no step
                self.handleError(record)
        if speaker is None or speaker[0].forward:
            last = logging.lastResort
            if last is not None and record.levelno >= last.level and len(logging.getLogger().handlers) == 1:
                # Without us, `logging` would have shown it itself.
                _original("stderr").write(_format(record) + "\n")


class _AsBefore(logging.Filter):
    """While we listen at INFO, the handlers that were there go on hearing what they heard before."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= self._level or "opgraph" in record.__dict__:
            return True
        logger = logging.getLogger(record.name)
        while logger.parent is not None:
            if logger.level:
                return True  # that logger's own level let it through
            logger = logger.parent
        return False


class _Installed:
    """What was there before us."""

    __slots__ = ("filter", "handler", "heard", "level", "printed")

    def __init__(self) -> None:
        self.printed = {name: _Printed(name, getattr(sys, name)) for name in ("stdout", "stderr")}
        for name, proxy in self.printed.items():
            setattr(sys, name, proxy)
        root = logging.getLogger()
        self.level = root.level
        self.filter = _AsBefore(self.level)
        self.heard = list(root.handlers)
        self.handler = _Logged()
        if self.level > logging.INFO:
            for handler in self.heard:
                handler.addFilter(self.filter)
            root.setLevel(logging.INFO)
        root.addHandler(self.handler)

    def remove(self) -> None:
        for name, proxy in self.printed.items():
            if getattr(sys, name) is proxy:
                setattr(sys, name, proxy.original)
        root = logging.getLogger()
        root.removeHandler(self.handler)
        if self.level > logging.INFO:
            for handler in self.heard:
                handler.removeFilter(self.filter)
            if root.level == logging.INFO:
                root.setLevel(self.level)


_lock = threading.Lock()
_installed: list[_Installed] = []  # at most one
_runs = 0


def _install() -> None:
    global _runs  # noqa: PLW0603 - there is one `sys.stdout`, so there is one count of those who need it
    with _lock:
        if _runs == 0:
            _installed.append(_Installed())
        _runs += 1


def _uninstall() -> None:
    global _runs  # noqa: PLW0603 - see above
    with _lock:
        _runs -= 1
        if _runs == 0:
            _installed.pop().remove()


def _original(name: str) -> TextIO:
    """The stream that ours stands for, or the stream itself."""
    stream: Any = getattr(sys, name)
    return stream.original if isinstance(stream, _Printed) else stream


def _shown(record: logging.LogRecord, handlers: Iterable[logging.Handler]) -> bool:
    """Whether one of the handlers has written it to the terminal."""
    logger: logging.Logger | None = logging.getLogger("opgraph")
    found = list(handlers)
    while logger is not None:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    terminal = {id(stream) for name in ("stdout", "stderr") for stream in (getattr(sys, name), _original(name))}
    return any(each.level <= record.levelno and id(getattr(each, "stream", None)) in terminal for each in found)


def current_context() -> Any:
    """The context of the step under way in this thread or task; None: there is none."""
    speaker = _speaker.get()
    if speaker is None or speaker[0].context_of is None or speaker[1] < 0:
        return None
    return speaker[0].context_of(speaker[1], speaker[2])


def get_logger(name: str | None = None) -> logging.Logger:
    """A logger for code that has no context: while a step runs, what it says is kept with the step.

    Args:
        name: of the logger, below `opgraph`; None: `opgraph` itself.

    Example:
        >>> get_logger("orders").name
        'opgraph.orders'
    """
    logger = logging.getLogger(f"opgraph.{name}" if name else "opgraph")
    if logger.level == logging.NOTSET:
        # Else the root logger's level, WARNING, would hold. `opgraph` is that of `context.log`: handlers get what is
        # meant to be seen, and what it says in detail is kept with the step.
        logger.setLevel(logging.DEBUG if name else logging.INFO)
    return logger
