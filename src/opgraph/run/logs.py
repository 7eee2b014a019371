"""What becomes of what runs log, besides being kept: a level, and handlers of `logging` for the runs of an instance."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from opgraph.declare.settings.secrets import hide, is_any_known
from opgraph.errors import InvalidConfigError

_KEYS = ("python_log_level", "managed_python_loggers", "handler_config")
_PARTS = ("formatters", "filters", "handlers")  # in this order: a handler names the others


class BadLogSettings(InvalidConfigError):
    """Settings of logging that cannot be read."""

    def __init__(self, what: str, fix: str) -> None:
        self.problem = what
        super().__init__(f"`python_logs`: {what}", fix=fix)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What an instance does with log lines.

    Attributes:
        level: what `context.log` says below it is dropped.
        loggers: names of loggers whose lines the handlers get as well as those of `context.log`; `root`: all.
        handlers: get the lines that the steps of its runs log.
    """

    level: int = logging.NOTSET
    loggers: tuple[str, ...] = ()
    handlers: tuple[logging.Handler, ...] = ()

    def hand(self, record: logging.LogRecord) -> None:
        """Give a line to the handlers."""
        for handler in self.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)

    def manages(self, name: str) -> bool:
        """Whether the handlers get what a logger of this name says."""
        return any(each in ("root", name) or name.startswith(f"{each}.") for each in self.loggers)


NONE = LogSettings()
_trace_of = logging.Formatter().formatException


def masked(record: logging.LogRecord) -> logging.LogRecord:
    """The record as handlers may have it: where its message, its traceback or what else it says has a secret in it, a
    copy without; the exception itself, which has the secret, is then left out."""
    if not is_any_known():
        return record
    trace = record.exc_text or (_trace_of(record.exc_info) if record.exc_info and record.exc_info[0] else "")
    said = {**record.__dict__, "msg": record.getMessage(), "args": (), "exc_text": trace}
    clean = {name: hide(each) if isinstance(each, str) else each for name, each in said.items()}
    if clean == said:
        return record
    if clean["exc_text"] != trace:
        clean["exc_info"] = None
    return logging.makeLogRecord(clean)


def log_settings(given: Mapping[str, Any]) -> LogSettings:
    """What `python_logs` says.

    Args:
        given: `python_log_level`, the name of a level; `managed_python_loggers`, names of loggers; `handler_config`, a
            table of `handlers`, `formatters` and `filters` as `logging.config.dictConfig` takes them.

    Raises:
        BadLogSettings: it says something else, or a handler cannot be made.

    Example:
        >>> log_settings({"python_log_level": "INFO"}).level
        20
    """
    known = {name.removeprefix("dagster_"): value for name, value in given.items()}
    unknown = sorted(set(known) - set(_KEYS))
    if unknown:
        raise BadLogSettings(f"there is no setting `{unknown[0]}`", f"there are {', '.join(_KEYS)}")
    level = str(known.get("python_log_level", "NOTSET")).upper()
    levels = logging.getLevelNamesMapping()
    if level not in levels:
        raise BadLogSettings(f"`{level}` is no level", f"levels are {', '.join(levels)}")
    return LogSettings(
        levels[level],
        tuple(known.get("managed_python_loggers", ())),
        _handlers(known["handler_config"]) if known.get("handler_config") else (),
    )


def _handlers(given: object) -> tuple[logging.Handler, ...]:
    if not isinstance(given, Mapping):
        raise BadLogSettings("`handler_config` is no table", f"it has {', '.join(_PARTS)}")
    table = {str(part): dict(each) for part, each in cast("Mapping[str, Mapping[str, Any]]", given).items()}
    unknown = sorted(set(table) - set(_PARTS))
    if unknown:
        raise BadLogSettings(
            f"`handler_config` has `{unknown[0]}`", f"it has {', '.join(_PARTS)}; set up loggers by `logging` itself"
        )
    from logging.config import DictConfigurator  # 7 ms, for the few who have handlers

    made = DictConfigurator({"version": 1, **{part: table.get(part, {}) for part in _PARTS}})
    config: Any = made.config  # converts what it is asked for
    make = (made.configure_formatter, made.configure_filter, made.configure_handler)
    for part, configure in zip(_PARTS, make, strict=True):
        for name in table.get(part, ()):
            try:
                config[part][name] = configure(config[part][name])
            except Exception as cause:
                raise BadLogSettings(
                    f"`{name}` of the {part} cannot be made: {cause.__cause__ or cause}",
                    "give it as `logging.config.dictConfig` takes it",
                ) from cause
    return tuple(config["handlers"].values())
