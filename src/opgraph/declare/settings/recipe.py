"""What a resource is made of when a run needs it, and what its maker is told."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

_LOG = logging.getLogger("opgraph")
_NOTHING: Mapping[str, Any] = {}  # never changed


@runtime_checkable
class Recipe(Protocol):
    """Something that stands among the resources for what a run makes of it. What is no recipe is a resource itself."""

    def opgraph_requires(self) -> frozenset[str]:
        """The keys of the resources that must be made before."""
        ...

    def opgraph_open(self, context: "InitResourceContext") -> AbstractContextManager[Any]:
        """Makes the resource; what it cleans up is cleaned up at the end."""
        ...

    def opgraph_lasts(self) -> bool:
        """Whether there is something to clean up."""
        ...


def is_recipe(value: object) -> bool:
    """Whether a resource is to be made of this. A class is none: its instances may be."""
    return not isinstance(value, type) and hasattr(type(value), "opgraph_open")


def has_fields(value: object) -> bool:
    """Whether this is an object of a resource's class with fields. A mock answers to every name, its class does not."""
    return hasattr(type(value), "opgraph_fields")


class InitResourceContext:
    """What the function that makes a resource can ask.

    Example:
        >>> @resource(required_resource_keys={"host"})
        ... def client(context: InitResourceContext):
        ...     return Client(context.resources.host)
    """

    __slots__ = ("_make", "instance", "log", "resource_config", "resource_def", "resources", "run", "run_id")

    resource_config: Any  # what the run configuration gives this resource
    resources: Any  # those that it requires, as attributes
    run: Any  # the public Run; None outside of one
    run_id: str | None
    instance: Any
    log: Any
    resource_def: Any

    def __init__(
        self,
        resource_config: Any = None,
        resources: Any = None,
        run: Any = None,
        run_id: str | None = None,
        instance: Any = None,
        log: Any = _LOG,
        resource_def: Any = None,
        make: Callable[[Any], Any] | None = None,
    ) -> None:
        self.resource_config = resource_config
        self.resources = resources
        self.run = run
        self.run_id = run_id
        self.instance = instance
        self.log = log
        self.resource_def = resource_def
        self._make = make

    @property
    def dagster_run(self) -> Any:
        """The run, by its other name."""
        return self.run

    @property
    def log_manager(self) -> Any:
        """The logger, by its other name."""
        return self.log

    def made(self, recipe: Any) -> Any:
        """The resource that is made of a recipe inside this one: one object, wherever it is used in the run."""
        if self._make is None:
            raise RuntimeError("a resource inside another one is made by a run, or by `build_resources`")
        return self._make(recipe)

    def replace_config(self, config: Any) -> "InitResourceContext":
        """The same for another configuration."""
        return InitResourceContext(
            config, self.resources, self.run, self.run_id, self.instance, self.log, self.resource_def, self._make
        )
