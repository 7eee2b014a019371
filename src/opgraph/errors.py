"""The errors that opgraph raises: each says what is wrong, where, and what to do.

A mistake has a class of its own, in the room that finds it, below one of the classes of this file; it keeps its facts
as fields and builds its sentences itself.
"""

import contextlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, dataclass_transform

if TYPE_CHECKING:
    from dataclasses import KW_ONLY  # costs 5 ms

_PACKAGE = str(Path(__file__).parent)
_CLI = str(Path(_PACKAGE, "show", "cli"))  # what calls it is nobody's definition
_STANDARD = str(Path(contextlib.__file__).parent)
_OURS = (_PACKAGE, "<frozen ")  # Python itself: an import of a name calls us through it, and `python -m`


def shown(value: object, most: int = 40) -> str:
    """A value for a message, in one line and shortened; whatever a user's `repr` does."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a user's repr may do anything
        text = f"<{type(value).__name__}>"
    return text if len(text) <= most else text[: most - 3] + "..."


class Source(NamedTuple):
    """A place in the user's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @staticmethod
    def of_code(code: CodeType) -> "Source":
        """Where a function begins."""
        return Source(code.co_filename, code.co_firstlineno)

    @staticmethod
    def of_class(kind: type) -> "Source | None":
        """Where a class begins, if its file can be read."""
        file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, ValueError):
            return None
        found = list(re.finditer(rf"^\s*class {re.escape(kind.__name__)}\b", text, re.MULTILINE))
        return Source(file, text.count("\n", 0, found[-1].end()) + 1) if found else None

    @staticmethod
    def of_caller() -> "Source | None":
        """The nearest line on the stack that is neither opgraph's own nor of the standard library."""
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - `inspect` costs 20 ms
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(_CLI):
                return None
            if not file.startswith(_OURS) and (not file.startswith(_STANDARD) or "site-packages" in file):
                return Source(file, frame.f_lineno)
            frame = frame.f_back
        return None


def without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the lines of opgraph itself, and those of `contextlib` by which it calls."""
    kept: list[TracebackType] = []
    own = False
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        own = file.startswith(_PACKAGE) or (own and file == contextlib.__file__)
        if not own:
            kept.append(trace)
        trace = trace.tb_next
    made: TracebackType | None = None
    for each in reversed(kept):
        made = TracebackType(made, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return made


def show_own_code_only(error: BaseException) -> BaseException:
    """The exception, its causes too, with the user's lines in its traceback and none of opgraph's. One that opgraph
    raised and did not mean to is left as it is: it is to be reported."""
    seen: set[int] = set()
    each: BaseException | None = error
    meant = False  # what an error of opgraph was made of is told by it
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        meant = meant or isinstance(each, Error)
        if meant or not _raised_here(each.__traceback__):
            each.__traceback__ = without_own_frames(each.__traceback__)
        each = each.__cause__ or each.__context__
    return error


def _raised_here(trace: TracebackType | None) -> bool:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE)


class Error(Exception):
    """The base of every error of opgraph.

    Args:
        what: one sentence: what is wrong.
        where: the place in the user's code.
        fix: what to do about it.
    """

    def __init__(self, what: str = "", *, where: Source | None = None, fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where is not None:
            lines.append(f"  at {self.where}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


@dataclass_transform()
class _Annotated:
    """For checkers: what its subclasses annotate are their parameters."""


class Mistake(_Annotated, Error):
    """An error whose sentences are written in its class, with its fields named in them.

    The annotations of a subclass are its parameters, in this order, and its attributes. What a sentence needs besides
    is a property.

    - Of several values (`Iterable[…]`, `Sequence[…]`) a tuple is kept. A sentence shows it as names in backticks; as
      `{names:plain}` without these, as `{names:count}` by their number, as `{names:s}` by an s if they are not one, and
      as `{names:meant}` by a question whether one of them was meant.
    - What a user gave (`object`) is shown in one line and shortened; as `{given:typed}` with its type, as
      `{given:type}` by that alone.

    Args:
        where: the place in the user's code.

    Example:
        >>> class NoSuchPool(Mistake, InvalidInvocationError):
        ...     name: str
        ...     pools: Sequence[str]
        ...     says = "there is no pool {name!r}; there are {pools}"
        ...     mend = "name one of them"
        >>> raise NoSuchPool("db", ["disk", "net"])
        Traceback (most recent call last):
        NoSuchPool: there is no pool 'db'; there are `disk`, `net`
          fix: name one of them
    """

    says: ClassVar[str]
    mend: ClassVar[str] = ""
    at_caller: ClassVar[bool] = False  # the place is the line of the user's code that called
    _fields: ClassVar[Mapping[str, Any]] = {}  # the type of each
    if TYPE_CHECKING:
        _: KW_ONLY
        where: Source | None = None

    def __init_subclass__(cls) -> None:
        cls._fields = {**cls._fields, **cls.__annotations__}

    def __init__(self, *given: Any, where: Source | None = None, **named: Any) -> None:
        for name, value in (dict(zip(self._fields, given, strict=False)) | named).items():
            several = getattr(self._fields[name], "__origin__", None) in (Iterable, Sequence)
            setattr(self, name, tuple(value) if several else value)
        facts: Any = _Facts(self, self._fields)
        place = Source.of_caller() if self.at_caller else where
        super().__init__(self.says.format_map(facts), where=place, fix=self.mend.format_map(facts))


class _Facts:
    """The fields of a mistake by name, as its sentences show them."""

    def __init__(self, mistake: Mistake, types: Mapping[str, Any]) -> None:
        self._mistake, self._types = mistake, types

    def __getitem__(self, name: str) -> object:
        value: object = getattr(self._mistake, name)
        if self._types.get(name) is object:
            return _Given(value)
        return _Several(value) if type(value) is tuple else value  # pyright: ignore[reportUnknownArgumentType]


class _Several(tuple[object, ...]):
    """Names, as a sentence shows them."""

    __slots__ = ()

    def __format__(self, how: str) -> str:
        names = [getattr(each, "text", each) for each in self]  # an asset's key by its text
        match how:
            case "plain":
                return ", ".join(map(str, names))
            case "count":
                return str(len(names))
            case "s":
                return "" if len(names) == 1 else "s"
            case "meant":
                return f". Did you mean {' or '.join(f'`{name}`' for name in names)}?" if names else ""
            case _:
                return listed(names)


class _Given:
    """What a user gave, as a sentence shows it."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __format__(self, how: str) -> str:
        if how == "type":
            return type(self._value).__name__
        return given_as(self._value) if how == "typed" else shown(self._value)


def given_as(value: object) -> str:
    """What was given, with its type, for a sentence."""
    if value is None:
        return "None"
    kind = type(value).__name__
    return f"{shown(value)} ({'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind})"


def listed(names: Iterable[object]) -> str:
    """Names for a sentence: `a`, `b`."""
    return ", ".join(f"`{name}`" for name in names) or "none"


class InvalidDefinitionError(Error):
    """Something that was declared cannot work. `problems` lists every mistake that was found, this one if it is one."""

    @property
    def problems(self) -> "Sequence[InvalidDefinitionError]":
        """Every mistake that was found."""
        return (self,)


class InvalidDefinitionsError(InvalidDefinitionError):
    """Several mistakes, found together."""

    def __init__(self, problems: Sequence[InvalidDefinitionError]) -> None:
        self._problems = tuple(problems)
        super().__init__(f"{len(problems)} problems in the definitions")

    @property
    def problems(self) -> Sequence[InvalidDefinitionError]:
        """Every mistake that was found."""
        return self._problems

    def __str__(self) -> str:
        numbered = [f"{i}. {problem}".replace("\n", "\n   ") for i, problem in enumerate(self._problems, 1)]
        return "\n".join([f"{self.what}:", *numbered])


class InvalidSubsetError(InvalidDefinitionError):
    """What was selected cannot be run alone, or selects nothing."""


class InvalidSubsetsError(InvalidDefinitionsError, InvalidSubsetError):
    """Several reasons why a selection cannot be run."""


def together(problems: Sequence[InvalidDefinitionError]) -> InvalidDefinitionError:
    """One error for what was found: the mistake itself, or all of them in one."""
    if len(problems) == 1:
        return problems[0]
    subsets = all(isinstance(problem, InvalidSubsetError) for problem in problems)
    return InvalidSubsetsError(problems) if subsets else InvalidDefinitionsError(problems)


class InvariantViolationError(Error):
    """Something was used against its contract."""


class InvalidInvocationError(Error):
    """A function was called directly with the wrong arguments."""


class InvalidConfigError(Error):
    """Configuration that does not fit what reads it."""


class UnknownResourceError(Error, AttributeError):
    """A resource was asked for that is not there."""


class ResourceFunctionError(Error):
    """Making a resource failed. `__cause__` is the user's exception."""


class StepOutputNotFoundError(Error):
    """A step ended without a required output."""


class ExecutionStepNotFoundError(Error):
    """A step was named that the run does not have. `step_keys` lists them."""

    def __init__(self, what: str = "", *, step_keys: Sequence[str] = (), **place: Any) -> None:
        self.step_keys = tuple(step_keys)
        super().__init__(what, **place)


class RunNotFoundError(Error):
    """No run has this id."""


class UnknownRun(RunNotFoundError):
    """A run was named by an id that no run has."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"no run has the id `{run_id}`", fix="`opgraph runs` lists them")


class ValueNotFoundError(Error):
    """A value that is to be loaded was never stored, or is gone."""


class StepFailedError(Error):
    """A step of a run failed and the caller asked for its error. `__cause__` is the user's exception where there is one
    that cannot be raised as it is: one that would end Python, or that is not at hand any more."""

    def __init__(self, what: str = "", *, step_key: str = "", **place: Any) -> None:
        self.step_key = step_key
        super().__init__(what, **place)


class RecordError(Error):
    """The record of runs cannot be used."""


class NotYetSupportedError(Error, NotImplementedError):
    """A name or a parameter that opgraph knows and does not do yet."""

    def __init__(self, name: str, what: str = "", fix: str = "") -> None:
        self.name = name
        super().__init__(
            what or f"`{name}` is not supported yet",
            where=Source.of_caller(),
            fix=fix or "leave it out for now; the changelog will name the release that brings it",
        )


class Failure(Error):
    """Raised by an op to fail its step with a description and metadata.

    Args:
        description: what went wrong.
        metadata: facts to keep with the failure.
        allow_retries: whether a retry policy may try again.

    Example:
        >>> raise Failure("the file is empty", metadata={"path": "in.csv"})
        Traceback (most recent call last):
        opgraph.errors.Failure: the file is empty
    """

    def __init__(
        self,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        allow_retries: bool | None = None,
    ) -> None:
        self.description = description
        self.metadata = dict(metadata or {})
        self.allow_retries = True if allow_retries is None else allow_retries
        super().__init__(description or "")


class RetryRequested(Error):
    """Raised by an op to be tried again, whatever its retry policy says. `raise RetryRequested(...) from error` keeps
    the reason.

    Args:
        max_retries: how many attempts may follow the first one; after that the step fails.
        seconds_to_wait: how long to wait before the next attempt; None: not at all.

    Raises:
        InvalidInvocationError: a value that cannot be.

    Example:
        >>> raise RetryRequested(max_retries=3, seconds_to_wait=10)
        Traceback (most recent call last):
        opgraph.errors.RetryRequested: the op asked to be tried again
    """

    def __init__(self, max_retries: int | None = 1, seconds_to_wait: float | None = None) -> None:
        self.max_retries = 1 if max_retries is None else max_retries
        self.seconds_to_wait = seconds_to_wait
        if type(self.max_retries) is not int or self.max_retries < 0:
            raise BadRetryRequest("max_retries", max_retries, "a whole number, 0 or more")
        wait = 0 if seconds_to_wait is None else seconds_to_wait
        if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait < float("inf"):  # pyright: ignore[reportUnnecessaryIsInstance] - users' data
            raise BadRetryRequest("seconds_to_wait", seconds_to_wait, "a number of seconds, 0 or more")
        super().__init__("the op asked to be tried again")


class BadRetryRequest(InvalidInvocationError):
    """An op asks to be tried again so often, or after such a time, as cannot be."""

    def __init__(self, parameter: str, given: object, takes: str) -> None:
        self.parameter, self.given = parameter, given
        super().__init__(
            f"`{parameter}` of `RetryRequested` is {shown(given)}",
            where=Source.of_caller(),
            fix=f"`{parameter}` takes {takes}",
        )
