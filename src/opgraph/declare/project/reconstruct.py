"""Jobs that another process can make again, by the module and the name under which they stand there."""

import sys
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib import import_module
from typing import Any, cast

from msgspec import Struct, structs

from opgraph.declare.graphs.graph_definition import GraphDefinition, JobDefinition, ops_of
from opgraph.declare.project.definitions import Definitions
from opgraph.errors import InvariantViolationError, Source
from opgraph.keys import AssetKey


class NotReconstructable(InvariantViolationError):
    """A job that no other process could make again."""

    def __init__(self, target: object, why: str, fix: str) -> None:
        self.target, self.why = target, why
        super().__init__(why, where=Source.of_caller(), fix=fix)


class ReconstructableJob(Struct, frozen=True):
    """Where a job stands, and which part of it is meant. Made by `reconstructable`."""

    module: str
    attribute: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    op_selection: AbstractSet[str] | None = None
    asset_selection: AbstractSet[AssetKey] | None = None

    def get_definition(self) -> JobDefinition:
        """The job, made again.

        Raises:
            InvariantViolationError: what stands there is no job and makes none.
        """
        found: Any = import_module(self.module)
        for part in self.attribute.split("."):
            found = getattr(found, part)
        whole = _job_of(found, self.args, self.kwargs)
        if self.op_selection is None and self.asset_selection is None:
            return whole
        return whole.get_subset(
            op_selection=sorted(self.op_selection) if self.op_selection is not None else None,
            asset_selection=self.asset_selection,
        )

    def get_subset(
        self,
        *,
        op_selection: str | AbstractSet[str] | Sequence[str] | None = None,
        asset_selection: AbstractSet[AssetKey] | None = None,
    ) -> "ReconstructableJob":
        """A part of it."""
        ops = None if op_selection is None else frozenset(ops_of(op_selection))
        return structs.replace(self, op_selection=ops, asset_selection=asset_selection)


def reconstructable(target: Callable[..., Any] | JobDefinition | GraphDefinition) -> ReconstructableJob:
    """A job as something that another process can make again.

    Args:
        target: a job at a module's top level, or a function there, without arguments, that returns one.

    Raises:
        InvariantViolationError: it stands in no module, the function takes arguments, or it returns no job.

    Example:
        >>> execute_job(reconstructable(nightly), instance=Instance.get())
    """
    if isinstance(target, JobDefinition | GraphDefinition):
        body = target.graph.body if isinstance(target, JobDefinition) else target.body
        module, name = _place_of(cast("object", target), body.fn if body is not None else None)
    else:
        module, name = _place_of(target, target)
        code = getattr(target, "__code__", None)
        if code is not None and code.co_argcount - len(getattr(target, "__defaults__", None) or ()):
            raise NotReconstructable(
                target,
                f"Reconstructable target must be callable with no arguments, and `{name}` takes some",
                "give them defaults, or use `build_reconstructable_job`",
            )
        _job_of(target, (), {})
    return ReconstructableJob(module, name)


def build_reconstructable_job(
    reconstructor_module_name: str,
    reconstructor_function_name: str,
    reconstructable_args: Sequence[Any] = (),
    reconstructable_kwargs: Mapping[str, Any] | None = None,
    reconstructor_working_directory: str | None = None,
) -> ReconstructableJob:
    """A job that a function makes from arguments, as something that another process can make again.

    Args:
        reconstructor_module_name: the function's module.
        reconstructor_function_name: its name there.
        reconstructable_args: arguments by place.
        reconstructable_kwargs: arguments by name.
        reconstructor_working_directory: a folder to find the module in.
    """
    if reconstructor_working_directory and reconstructor_working_directory not in sys.path:
        sys.path.insert(0, reconstructor_working_directory)
    args, kwargs = tuple(reconstructable_args), dict(reconstructable_kwargs or {})
    return ReconstructableJob(reconstructor_module_name, reconstructor_function_name, args, kwargs)


def _place_of(target: object, fn: Any) -> tuple[str, str]:
    """The module and name under which something stands."""
    module = getattr(fn, "__module__", None) or "__main__"
    for name, value in vars(sys.modules[module]).items() if module in sys.modules else ():
        if value is target:
            return module, name
    raise NotReconstructable(
        target,
        f"`{getattr(target, '__name__', target)}` stands under no name in its module, so no other process finds it. "
        "Use a function or decorated function defined at module scope",
        "define it at module scope, or use `build_reconstructable_job`",
    )


def _job_of(found: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> JobDefinition:
    if not isinstance(found, JobDefinition | GraphDefinition | Definitions) and callable(found):
        found = cast("Any", found)(*args, **kwargs)
    if isinstance(found, JobDefinition):
        return found
    if isinstance(found, GraphDefinition):
        return found.to_job()
    if isinstance(found, Definitions):
        return found.resolve_implicit_global_asset_job_def()
    raise NotReconstructable(
        found,
        f"what can be loaded is a JobDefinition, a GraphDefinition or Definitions. Got {found!r}.",
        "return the job from the function",
    )
