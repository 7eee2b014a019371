"""Errors as the messages of the web say them."""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from opgraph.declare.settings.secrets import hide
from opgraph.errors import Error, InvalidDefinitionError
from opgraph.events import ErrorInfo, Frame
from opgraph.run.store.preview import Preview
from opgraph.show.web import messages as m

Json = dict[str, Any]


class Refused(Exception):
    """A request that is answered by a problem.

    Args:
        status: of HTTP.
        problem: what is wrong.
    """

    def __init__(self, status: int, problem: m.Problem) -> None:
        self.status, self.problem = status, problem
        super().__init__(problem.text)

    @staticmethod
    def of(status: int, kind: str, text: str) -> "Refused":
        """One that this server found itself."""
        return Refused(status, m.Problem(kind=kind, text=text))


def mistakes(error: Error) -> list[m.Mistake]:
    """Every mistake that an error tells of."""
    several: Any = getattr(error, "problems", None)
    each_one: list[Error] = list(several) if several else [error]
    return [
        m.Mistake(
            kind=type(each).__name__,
            text=hide(each.what or str(each)),
            file=each.where.file if each.where is not None else "",
            line=each.where.line if each.where is not None else 0,
            fix=hide(each.fix),
        )
        for each in each_one
    ]


def problem_of(error: Error) -> m.Problem:
    """An error of opgraph as a reply."""
    return m.Problem(kind=type(error).__name__, text=hide(str(error)), problems=mistakes(error))


def project_error(error: BaseException) -> m.ProjectError:
    """Why definitions do not load: the user's file and line."""
    if not isinstance(error, Error):
        return m.ProjectError(kind=type(error).__name__, text=hide(str(error)))
    found = mistakes(error)
    frames: list[Frame] = list(getattr(error, "frames", ()))
    first = found[0]
    own = frames[-1] if frames else None
    return m.ProjectError(
        kind=first.kind,
        text=first.text if len(found) == 1 else hide(error.what),
        file=first.file or (own.file if own else ""),
        line=first.line or (own.line if own else 0),
        fix=first.fix if len(found) == 1 else "",
        frames=[frame(each) for each in frames],
        problems=found if len(found) > 1 or isinstance(error, InvalidDefinitionError) else [],
    )


def frame(each: Frame) -> m.Frame:
    """A line of a traceback."""
    return m.Frame(
        file=each.file, line=each.line, function=each.function, text=hide(each.text), is_framework=not each.own
    )


def error_of(info: ErrorInfo, depth: int = 0) -> m.Error:
    """A recorded exception, its user's line first."""
    own = [each for each in info.frames if each.own]
    at = own[-1] if own else (info.frames[-1] if info.frames else None)
    return m.Error(
        kind=info.kind,
        message=info.message,
        at=frame(at) if at is not None else None,
        frames=[frame(each) for each in info.frames],
        during=info.during,
        about=info.about,
        notes=list(info.notes),
        metadata=metas(info.metadata),
        cause=error_of(info.cause, depth + 1) if info.cause is not None and depth < 20 else None,
    )


def alike(failed: Iterable[tuple[int, str, ErrorInfo]], groups: int, named: int) -> list[m.FailedStep]:
    """The errors of steps that failed, one for each kind and line; of the first so many, and steps of each by name."""
    found: dict[tuple[object, ...], m.FailedStep] = {}
    for n, key, info in failed:
        own = [(each.file, each.line) for each in info.frames if each.own]
        cause = (key.partition("[")[0], info.kind, *(own[-1:] or [info.message]))
        first = found.get(cause)
        if first is None:
            if len(found) < groups:
                found[cause] = m.FailedStep(n=n, key=key, error=error_of(info))
            continue
        first.times += 1
        if first.times <= named:
            first.alike.append(m.StepName(n=n, key=key))
    return list(found.values())


def metas(entries: Any) -> list[m.Meta]:
    """Metadata in the order in which it was given."""
    return [m.Meta(name=name, kind=each.kind, value=jsonable(each.value)) for name, each in entries.items()]


def preview(seen: Preview | None) -> m.Preview | None:
    """What was kept of how a value looks."""
    if seen is None:
        return None
    return m.Preview(
        kind=seen.kind,
        text=seen.text if seen.kind in ("text", "markdown") else None,
        columns=list(seen.columns) if seen.kind == "table" else None,
        types=list(seen.types) or None,
        rows=[list(row) for row in seen.rows] if seen.kind == "table" else None,
        shape=list(seen.shape) or None,
        image=b64encode(seen.image).decode() if seen.image else None,
    )


def jsonable(value: Any) -> Any:
    """A recorded value as JSON can say it: what is not a number is text."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124 - nan
        return str(value)
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - any JSON
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]  # pyright: ignore[reportUnknownVariableType] - the same
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
