"""From an executor's name and settings to the executor."""

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, cast

from opgraph.declare.project.executor import ExecutorChoice, ExecutorSettings, in_process_executor
from opgraph.run.executors.in_process import InProcess
from opgraph.run.executors.mistakes import BadExecutorSetting, ExecutorNotInstalled, UnknownExecutor
from opgraph.run.executors.names import NAMES
from opgraph.run.executors.processes import Processes
from opgraph.run.executors.protocol import Emit, Executor
from opgraph.run.executors.threads import Threads
from opgraph.run.step.attempt import Attempts
from opgraph.run.stopping import Stopping

# Code written for Dagster gives these; they say how its processes are started and how it counts.
_UNREAD = frozenset({"retries", "tag_concurrency_limits", "marker_to_close"})
_METHODS = {"fork": "fork", "spawn": "spawn", "forkserver": "spawn"}  # the last is Dagster's word for what is safe
_METHOD = "OPGRAPH_START_METHOD"  # the environment variable that says so for a whole process
_SAME = {"max_workers": "max_concurrent", "workers": "max_concurrent"}
_MOST_ASYNC = 100


def checked_choice(choice: ExecutorChoice) -> ExecutorChoice:
    """The choice with its settings under one name each.

    Raises:
        UnknownExecutor: there is none of this name.
        BadExecutorSetting: it does not have one of the settings, or a number makes no sense.
    """
    while choice.make is not None:
        choice = choice.make(ExecutorSettings(choice.settings))
    if choice.name not in NAMES:
        raise UnknownExecutor(choice.name, NAMES)
    allowed = () if choice.name == "in_process" else ("max_async", "max_concurrent")
    if choice.name == "dask":
        allowed = ("address", *allowed)
        if find_spec("distributed") is None or find_spec("cloudpickle") is None:
            raise ExecutorNotInstalled("dask")
    settings: dict[str, Any] = {}
    for given, value in choice.settings.items():
        if given == "address" and given in allowed:
            if not isinstance(value, str) or not value:
                raise BadExecutorSetting(choice.name, given, value, 'give the scheduler\'s: "tcp://host:8786"')
            settings[given] = value
            continue
        if given == "start_method" and choice.name == "processes":
            word: Any = next(iter(cast("Any", value)), None) if isinstance(value, Mapping) else value
            if word not in _METHODS:
                raise BadExecutorSetting(choice.name, given, word, 'give "fork" or "spawn", or leave it out')
            settings[given] = _METHODS[word]
            continue
        if given in _UNREAD or given == "start_method":
            continue
        name = _SAME.get(given, given)
        if name not in allowed:
            fix = (
                f"its settings are: {', '.join(allowed)}"
                if allowed
                else "it has no settings, one step runs at a time; for several choose `threads`, `async` or `processes`"
            )
            raise BadExecutorSetting(choice.name, given, value, fix)
        if value is None or (value == 0 and name == "max_concurrent"):
            continue  # as many as there are processors
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadExecutorSetting(choice.name, given, value, "give a whole number, 1 or more")
        settings[name] = value
    return ExecutorChoice(choice.name, settings)


def open_executor(
    choice: ExecutorChoice, attempts: Attempts, emit: Emit, stopping: Stopping, look: Callable[[], None]
) -> Executor:
    """The executor that was chosen, ready to start tasks.

    Args:
        choice: which.
        attempts: makes attempts.
        emit: records a fact at once, for an executor in the driver's own thread.
        stopping: interrupts user code in the driver's own thread.
        look: what the driver does now and then, for when it cannot.

    Raises:
        UnknownExecutor: there is none of this name.
        BadExecutorSetting: it does not have one of the settings.
    """
    if choice == in_process_executor:
        return InProcess(attempts, emit, stopping, look)
    settings: Mapping[str, Any] = checked_choice(choice).settings
    most, most_async = settings.get("max_concurrent"), settings.get("max_async", _MOST_ASYNC)
    match choice.name:
        case "processes":
            method = settings.get("start_method") or _METHODS.get(os.environ.get(_METHOD, ""), "")
            return Processes(attempts, most=most or _processors(), most_async=most_async, method=method)
        case "threads":
            return Threads(attempts, most=most or _processors() + 4, most_async=most_async)
        case "dask":
            from opgraph.run.executors.dask import Dask  # its libraries are an extra

            return Dask(
                attempts,
                attempts.side.run_id,
                address=settings.get("address", ""),
                most=most or 0,
                most_async=most_async,
                threads=most or _processors(),
            )
        case "async":
            return Threads(attempts, most=1, most_async=most or most_async)
        case _:
            return InProcess(attempts, emit, stopping, look)


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
