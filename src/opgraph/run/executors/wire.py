"""What the driver and a worker process say to each other: msgpack, with the length before each message."""

import pickle
import struct
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from opgraph.events import AnyFact, ErrorInfo, Frame, Kept, LogLine, StepFailed, StepSucceeded
from opgraph.run.call.binding import BoundStep
from opgraph.run.executors.protocol import Begun, Died, Dropped, Ended, Happened, Missing, Report, Stopped, Task
from opgraph.run.store.sources import Taken

LENGTH = struct.Struct("<I")


class Ask(Struct, frozen=True, array_like=True, tag=1):
    """Make an attempt: a task, in which the step of the plan and a key stand for the step with its code. Beside it:
    bytes that the driver has at hand, the latest versions of assets to load, and whether the driver awaits `Began`."""

    step: int
    attempt: int
    asked: frozenset[str] | None
    template: int
    key: str
    count: int
    window: int
    taken: Taken | None
    lent: list[tuple[str, int, bytes]]
    known: dict[str, Kept | None]
    timed: bool

    def task(self, steps: Sequence[BoundStep]) -> Task:
        """As the attempt wants it. The driver watches the clock."""
        bound = steps[self.template]
        if self.step != self.template:
            bound = bound.mapped(self.step, self.key)
        return Task(
            self.step, self.attempt, self.asked, bound, self.template, 0, self.count, self.taken, None, self.window
        )


class Halt(Struct, frozen=True, array_like=True, tag=2):
    """Stop an attempt, on an event loop or on another host; or `kill` it."""

    step: int
    attempt: int
    kill: bool = False


class More(Struct, frozen=True, array_like=True, tag=3):
    """An attempt may yield another window of values of a fan-out."""

    step: int
    attempt: int


class Said(Struct, frozen=True, array_like=True, tag=1):
    """What steps said meanwhile."""

    lines: list[LogLine]


class OnTheWay(Struct, frozen=True, array_like=True, tag=2):
    """See `Happened`."""

    fact: AnyFact
    blob: bytes | None


class End(Struct, frozen=True, array_like=True, tag=3):
    """See `Ended`; the exception is pickled, where it can be."""

    fact: StepSucceeded | StepFailed
    blob: bytes | None
    error: bytes


class Gone(Struct, frozen=True, array_like=True, tag=4):
    """See `Missing`."""

    step: int
    attempt: int
    maker: int
    output: str
    error: ErrorInfo
    cause: bytes
    mapping_key: str | None


class Obeyed(Struct, frozen=True, array_like=True, tag=5):
    """See `Stopped`."""

    step: int
    attempt: int
    error: ErrorInfo


class Fell(Struct, frozen=True, array_like=True, tag=6):
    """See `Died` and `Dropped`; a host tells of its own workers."""

    step: int
    attempt: int
    how: str
    blamed: bool
    frames: tuple[Frame, ...] = ()


class Ready(Struct, frozen=True, array_like=True, tag=7):
    """A host has loaded the run; or it says why it will not make attempts, and which ops have other code there."""

    refused: str
    changed: list[str] = []


class Began(Struct, frozen=True, array_like=True, tag=8):
    """See `Begun`; a host tells it of those that were `timed`."""

    step: int
    attempt: int


ToWorker: TypeAlias = Ask | Halt | More
ToDriver: TypeAlias = Said | OnTheWay | End | Gone | Obeyed | Fell | Ready | Began
_encode = msgspec.msgpack.Encoder().encode
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_to_driver: msgspec.msgpack.Decoder[ToDriver] = msgspec.msgpack.Decoder(ToDriver)
asks, tells = _to_worker.decode, _to_driver.decode


def packed(message: ToWorker | ToDriver) -> bytes:
    """A message as it goes through the socket."""
    return prefixed(_encode(message))


def prefixed(body: bytes) -> bytes:
    """The bytes of a message, with their length before them."""
    return LENGTH.pack(len(body)) + body


class Inbox:
    """Cuts what comes through a socket into messages."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def add(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete with these bytes."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= 4:
            (length,) = LENGTH.unpack_from(buffer, at)
            if len(buffer) - at - 4 < length:
                break
            yield bytes(buffer[at + 4 : at + 4 + length])
            at += 4 + length
        if at:
            del buffer[:at]


def of_report(report: Report) -> ToDriver:
    """A report as a message."""
    if type(report) is Ended:
        return End(report.fact, report.blob, _pickled(report.error))
    if type(report) is Happened:
        return OnTheWay(report.fact, report.blob)
    if type(report) is Begun:
        return Began(report.step, report.attempt)
    if type(report) is Missing:
        cause = _pickled(report.cause)
        return Gone(report.step, report.attempt, report.maker, report.output, report.error, cause, report.mapping_key)
    if type(report) is Stopped:
        return Obeyed(report.step, report.attempt, report.error)
    if type(report) is Died:
        return Fell(report.step, report.attempt, report.how, blamed=True, frames=report.frames)
    assert type(report) is Dropped
    return Fell(report.step, report.attempt, report.why, blamed=False)


def to_report(message: OnTheWay | End | Gone | Obeyed | Fell | Ready | Began) -> Report:
    """A message as a report."""
    match message:
        case End():
            return Ended(message.fact, message.blob, _unpickled(message.error))
        case OnTheWay():
            return Happened(message.fact, message.blob)
        case Gone():
            cause = _unpickled(message.cause)
            return Missing(
                message.step, message.attempt, message.maker, message.output, message.error, cause, message.mapping_key
            )
        case Obeyed():
            return Stopped(message.step, message.attempt, message.error)
        case Began():
            return Begun(message.step, message.attempt)
        case Ready():
            raise TypeError("that a host is ready is no report")
        case Fell():
            if not message.blamed:
                return Dropped(message.step, message.attempt, message.how)
            return Died(message.step, message.attempt, message.how, message.frames)


def _pickled(error: BaseException | None) -> bytes:
    if error is None:
        return b""
    try:
        return pickle.dumps(error)
    except Exception:  # noqa: BLE001 - a user's exception may hold anything; as data it is there in any case
        return b""


def _unpickled(data: bytes) -> BaseException | None:
    if not data:
        return None
    try:
        error: Any = pickle.loads(data)
    except Exception:  # noqa: BLE001 - the same
        return None
    return error if isinstance(error, BaseException) else None
