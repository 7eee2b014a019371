"""Errors of pydantic, told as mistakes in what the user wrote."""

import linecache
import re
from types import TracebackType

from opgraph.errors import InvalidDefinitionError, Mistake, Source

_WITHOUT_TYPE = ("model-field-missing-annotation", "model-field-overridden")  # codes of pydantic


class UntypedSetting(Mistake, InvalidDefinitionError):
    """A class of settings gives a value to a name that it does not annotate."""

    name: str
    cls: str
    line: str
    says = "the setting `{name}` of `{cls}` has no type: `{line}`"
    mend = "write its type, `{name}: … = …`; if it is no setting, `{name}: ClassVar = …`"


def told_by(error: BaseException) -> BaseException:
    """The error that tells what is wrong: of pydantic's a mistake of ours, where there is one for it; else the error
    itself."""
    kind, said = type(error).__name__, error.__cause__
    if kind == "ValidationError" and isinstance(said, InvalidDefinitionError):
        return said.with_traceback(error.__traceback__)
    if kind == "PydanticUserError" and getattr(error, "code", "") in _WITHOUT_TYPE:
        return _untyped(str(error), error.__traceback__) or error
    return error


def _untyped(text: str, trace: TracebackType | None) -> UntypedSetting | None:
    """The class statement is the last line outside of pydantic; the setting stands below it."""
    name = re.search(r"`(\w+) = |Field '(\w+)'", text)
    place: Source | None = None
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] != "pydantic":
        place, trace = Source(trace.tb_frame.f_code.co_filename, trace.tb_lineno), trace.tb_next
    if name is None or place is None:
        return None
    linecache.checkcache(place.file)
    if not (lines := linecache.getlines(place.file)):
        return None
    setting = name[1] or name[2]
    at = next((n for n in range(place.line, len(lines)) if re.match(rf"\s+{setting}\s*=", lines[n])), place.line - 1)
    cls = re.search(r"class\s+(\w+)", lines[place.line - 1])
    return UntypedSetting(setting, cls[1] if cls else "?", lines[at].strip(), where=Source(place.file, at + 1))
