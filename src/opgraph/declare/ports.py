"""What declarations ask of the rooms above: to run something, to load a value, to draw what was declared."""

from collections.abc import Callable
from typing import Any, Protocol


class Runner(Protocol):
    """Runs what was declared. Implemented above; `opgraph/__init__` binds it."""

    def invoke(self, definition: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call an op's or asset's function directly, as tests do."""
        ...

    def execute(self, target: Any, **options: Any) -> Any:
        """Run a job, a graph or an asset job in this process; returns an ExecuteInProcessResult."""
        ...

    def load_value(self, definitions: Any, key: Any, **options: Any) -> Any:
        """Load the stored value of an asset."""
        ...

    def resolve_job(self, definitions: Any, name: str) -> Any:
        """The job of this name, with its assets resolved."""
        ...

    def subset(self, job: Any, op_selection: Any, asset_selection: Any) -> Any:
        """A job of which only a part is run."""
        ...

    def asset_graph(self, definitions: Any) -> Any:
        """The assets of some definitions, resolved: see `operate.asset_view`."""
        ...

    def open_resource(self, recipe: Any, *, keep: bool) -> Any:
        """Make a resource, as a run does: the object, or, if it is not to be kept, a context manager of it."""
        ...


_bound: list[Callable[[], Runner]] = []


def bind(loader: Callable[[], Runner]) -> None:
    """Say how to get the runner: a function, so that nothing is imported before something is to run."""
    _bound[:] = [loader]


def runner() -> Runner:
    """The runner that was bound."""
    return _bound[0]()


class Painter(Protocol):
    """Draws what was declared, planned or run, for notebooks. Implemented above; `opgraph/__init__` binds it."""

    def html(self, thing: Any) -> str:
        """The drawing of Definitions, an asset, a graph, a job or a plan, to stand in a page."""
        ...

    def html_of_run(self, plan: Any, record: Any, run_id: str) -> str:
        """The drawing of a recorded run."""
        ...


_painters: list[Callable[[], Painter]] = []


def bind_painter(loader: Callable[[], Painter]) -> None:
    """Say how to get the painter: a function, so that nothing is imported before something is to be drawn."""
    _painters[:] = [loader]


def painter() -> Painter:
    """The painter that was bound."""
    return _painters[0]()
