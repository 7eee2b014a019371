"""Which executor a job asks for, as a description; the room `run` has the executors themselves."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, overload

from msgspec import Struct


class ExecutorChoice(Struct, frozen=True):
    """An executor by name, with its settings. `configured` gives one with other settings.

    Attributes:
        name: `in_process`, `threads`, `async`, `processes` or `dask`; or, with `make`, any name.
        settings: `max_concurrent` (how many sync steps at once) and `max_async` (how many async steps at once).
        make: chooses another executor when a run begins, from these settings.

    Example:
        >>> multiprocess_executor.configured({"max_concurrent": 4}).settings
        {'max_concurrent': 4}
    """

    name: str
    settings: Mapping[str, Any] = {}
    make: "Callable[[ExecutorSettings], ExecutorChoice] | None" = None

    def configured(self, config: Mapping[str, Any], name: str | None = None, **_: Any) -> "ExecutorChoice":
        """The same executor with settings; `name` is not read, code written for Dagster gives it."""
        del name
        return ExecutorChoice(self.name, {**self.settings, **config}, self.make)


class ExecutorSettings(Struct, frozen=True):
    """What a function decorated with `executor` is given."""

    executor_config: Mapping[str, Any]


Executor: TypeAlias = ExecutorChoice
_Make: TypeAlias = Callable[[ExecutorSettings], ExecutorChoice]

in_process_executor: Final = ExecutorChoice("in_process")
threads_executor: Final = ExecutorChoice("threads")
async_executor: Final = ExecutorChoice("async")
multiprocess_executor: Final = ExecutorChoice("processes")
dask_executor: Final = ExecutorChoice("dask")


@overload
def executor(name: _Make) -> ExecutorChoice: ...


@overload
def executor(name: str | None = ..., **others: Any) -> Callable[[_Make], ExecutorChoice]: ...


def executor(name: str | _Make | None = None, **others: Any) -> ExecutorChoice | Callable[[_Make], ExecutorChoice]:
    """Make an executor of a function that chooses one, when a run begins.

    Args:
        name: its name, by default the function's.
        others: not read; code written for Dagster gives them.

    Example:
        >>> @executor
        ... def careful(init_context):
        ...     return multiprocess_executor.configured({"max_concurrent": 2})
        >>> careful.name
        'careful'
    """
    del others

    def decorate(make: _Make) -> ExecutorChoice:
        own = name if isinstance(name, str) else getattr(make, "__name__", "executor")
        return ExecutorChoice(own, {}, make)

    return decorate(name) if callable(name) else decorate
