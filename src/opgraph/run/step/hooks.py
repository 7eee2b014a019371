"""Hooks are called when an attempt has ended: after success, or after a failure that no other attempt follows."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, Self

from msgspec import structs

from opgraph.declare.metadata import facts
from opgraph.declare.ops.hooks import HookDefinition, HookExecutionResult
from opgraph.errors import InvariantViolationError, Mistake
from opgraph.events import AnyFact, Frame, HookRan, StepFailed, StepSucceeded
from opgraph.run.call.binding import BoundStep
from opgraph.run.call.body import Came
from opgraph.run.call.context import RunSide
from opgraph.run.captured import Captured, StepLog
from opgraph.run.failure import error_info
from opgraph.run.mistakes import NotInTests
from opgraph.run.resources import Resources, Scope

_now = time.time


class NotInHookTests(Mistake, InvariantViolationError):
    """Something that was not given to `build_hook_context` was asked of the context."""

    member: str
    parameter: str
    says = "Tried to access the HookContext {member}, but no {parameter} was provided to `build_hook_context`."
    mend = "write `build_hook_context({parameter}=...)`"


class HookContext:
    """What a hook's function can ask of the step that has ended.

    Example:
        >>> @failure_hook
        ... def warn(context: HookContext):
        ...     print(context.run_id, context.step_key, context.op_exception)
    """

    __slots__ = ("_ended", "_hook", "_scope", "_side")

    def __init__(
        self, side: RunSide, ended: "_Ended", hook: HookDefinition | None = None, scope: Scope | None = None
    ) -> None:
        self._side, self._ended, self._hook, self._scope = side, ended, hook, scope

    def __enter__(self) -> Self:
        """Use a built one in a `with` statement where resources must be put away at its end."""
        if self._scope is not None:
            self._scope.enter()
        return self

    def __exit__(self, *_: object) -> None:
        if self._scope is not None:
            self._scope.leave()

    def _of_run(self, member: str, value: Any, parameter: str = "") -> Any:
        if value is None and self._side.builder:
            raise NotInHookTests(member, parameter or member)
        return value

    @property
    def hook_def(self) -> HookDefinition:
        """The hook."""
        if self._hook is None:
            raise NotInTests("hook_def", "build_hook_context")
        return self._hook

    @property
    def log(self) -> Any:
        """A logger whose lines are kept with the step."""
        return self._ended.log

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._of_run("run_id", self._side.run_id or None)

    @property
    def run(self) -> Any:
        """The run."""
        return self._of_run("run", self._side.run)

    @property
    def job_name(self) -> str:
        """The job's name."""
        return self._of_run("job_name", self._side.job_name or None)

    @property
    def instance(self) -> Any:
        """The instance that records the run."""
        return self._of_run("instance", self._side.instance)

    @property
    def op(self) -> Any:
        """The node: the op's use in its graph, with its alias; the op where it stands alone."""
        return self._of_run("op", self._ended.op)

    @property
    def step_key(self) -> str:
        """The step's path in its job, with its mapping key."""
        return self._of_run("step_key", self._ended.step_key, "op")

    @property
    def retry_number(self) -> int:
        """How many attempts came before the last one."""
        return self._ended.attempt - 1

    @property
    def required_resource_keys(self) -> AbstractSet[str]:
        """The resources that the hook requires."""
        return self.hook_def.required_resource_keys

    @property
    def resources(self) -> Resources:
        """The resources, as attributes: those that the hook requires."""
        if self._scope is not None:
            return self._scope.resources
        return self._side.resources.only(frozenset(self.required_resource_keys))

    @property
    def op_config(self) -> Any:
        """The op's configuration; None where it has none."""
        return self._ended.config

    @property
    def op_exception(self) -> BaseException | None:
        """What the op raised; None after success."""
        return self._ended.error

    @property
    def op_output_values(self) -> Mapping[str, Any]:
        """The values that came, by output; those of a dynamic output as a dict by mapping key."""
        return self._ended.witness.values

    @property
    def op_output_metadata(self) -> Mapping[str, Any]:
        """The metadata that came with the outputs, by output; of a dynamic output, by mapping key too."""
        return self._ended.witness.metadata


class Witness:
    """Sees what an op gives as it comes, for the hooks of its step."""

    __slots__ = ("metadata", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}

    def of(self, items: Iterable[Any]) -> Iterable[Any]:
        """The same items."""
        if isinstance(items, (tuple, list)):
            for item in items:
                self._note(item)
            return items
        return self._passing(items)

    def _passing(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._note(item)
            yield item

    def _note(self, item: Any) -> None:
        if not isinstance(item, Came):
            return
        told = facts(item.metadata)
        if item.mapping_key is not None:
            self.values.setdefault(item.output, {})[item.mapping_key] = item.value
            self.metadata.setdefault(item.output, {})[item.mapping_key] = told
        else:
            self.values[item.output] = item.value
            self.metadata[item.output] = told


class _Ended(NamedTuple):
    """What the hooks of a step have in common."""

    op: Any
    step_key: str | None
    error: BaseException | None
    witness: Witness
    log: Any
    attempt: int = 1
    config: Any = None


def with_hooks(
    fact: StepSucceeded | StepFailed,
    bound: BoundStep,
    side: RunSide,
    witness: Witness | None = None,
    error: BaseException | None = None,
) -> Any:
    """The end of an attempt with what its hooks did, which are called here. Nothing that they raise goes further."""
    after = "success" if isinstance(fact, StepSucceeded) else "failure"
    if not bound.hooks or (isinstance(fact, StepFailed) and fact.retry_after is not None):
        return fact
    said = side.said
    log = StepLog(said, bound.number, fact.attempt) if said is not None else logging.getLogger("opgraph")
    ended = _Ended(
        bound.flat.node if bound.flat.node is not None else bound.op,
        bound.step.key,
        error,
        witness or Witness(),
        log,
        fact.attempt,
        bound.config.raw if bound.config is not None else None,
    )
    # Where the attempt ended without a word of its own, the driver calls them, and nobody speaks yet.
    token = said.enter(bound.number, fact.attempt) if said is not None else None
    ran = [
        _called(hook, side, ended) if hook.after == after else HookRan(hook.name, _now(), skipped=True)
        for hook in bound.hooks
    ]
    if said is not None and token is not None:
        said.leave(token)
    return structs.replace(fact, hooks=tuple(ran))


def _called(hook: HookDefinition, side: RunSide, ended: _Ended) -> HookRan:
    answer, told = None, None
    try:
        answer = hook.decorated_fn(HookContext(side, ended, hook))
    except BaseException as problem:  # noqa: BLE001 - whatever the user's code raises, Ctrl-C too: the step has ended
        told = error_info(problem, during="hook", about=hook.name)
    skipped = isinstance(answer, HookExecutionResult) and bool(answer.is_skipped)
    return HookRan(hook.name, _now(), told, skipped)


def failures_told(said: Captured, key_of: Callable[[int], str]) -> Callable[[int, AnyFact], None]:
    """A listener that tells who listens to `logging`, or reads the terminal of a program, of hooks that failed. Nothing
    of it is kept with the step: the fact says it already.

    Args:
        said: knows who listens.
        key_of: the key of a step.
    """

    def listen(_seq: int, fact: AnyFact) -> None:
        if isinstance(fact, (StepSucceeded, StepFailed)) and said.logs.level <= logging.ERROR:
            for error in [ran.error for ran in fact.hooks if ran.error is not None]:
                at = next((frame for frame in reversed(error.frames) if frame.own), Frame("", 0, "", "", own=True))
                key = key_of(fact.step)
                text = f"hook `{error.about}` of `{key}` failed: {error.told}"
                record = logging.LogRecord("opgraph", logging.ERROR, at.file, at.line, text, (), None, at.function)
                said.hand_on(record, fact.step, key)

    return listen


def build_hook_context(
    resources: Mapping[str, Any] | None = None,
    op: Any = None,
    run_id: str | None = None,
    job_name: str | None = None,
    op_exception: BaseException | None = None,
    instance: Any = None,
) -> HookContext:
    """A context to call a hook directly with, as tests do. Where a resource must be put away, use it in a `with`
    statement.

    Args:
        resources: objects by key, or what they are made of.
        op: the op, or a use of one (`op.alias("name")`), that has ended.
        run_id: what `context.run_id` is.
        job_name: what `context.job_name` is.
        op_exception: what `context.op_exception` is.
        instance: what `context.instance` is.

    Example:
        >>> warn(build_hook_context(op_exception=ValueError("no rows")))
    """
    ended = _Ended(op, op.name if op is not None else None, op_exception, Witness(), logging.getLogger("opgraph"))
    side = RunSide(run_id or "", job_name or "", instance=instance, builder="build_hook_context")
    return HookContext(side, ended, scope=Scope("build_hook_context", resources or {}, instance=instance))
