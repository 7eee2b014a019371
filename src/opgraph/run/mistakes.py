"""What an op can do wrong with its outputs, its context and its arguments: one class each.

Those of outputs are `InvariantViolationError`s, as users know them; a required output that did not come is a
`StepOutputNotFoundError` in a run.
"""

from collections.abc import Iterable, Sequence

from opgraph.errors import (
    InvalidInvocationError,
    InvariantViolationError,
    Source,
    StepOutputNotFoundError,
    UnknownResourceError,
)
from opgraph.keys import AssetKey, near_misses
from opgraph.run.types import TypeCheckDidNotPass


def listed(names: Iterable[object]) -> str:
    """Names for a sentence: `a`, `b`."""
    return ", ".join(f"`{name}`" for name in names) or "none"


def _meant(name: str, known: Sequence[str]) -> str:
    close = near_misses(name, known)
    return f"did you mean {' or '.join(f'`{each}`' for each in close)}? " if close else ""


# -- outputs --------------------------------------------------------------------


class NoneForSeveral(InvariantViolationError):
    """A bare None from an op with several outputs."""

    def __init__(self, op: str, outputs: Sequence[str], *, where: Source | None) -> None:
        self.op, self.outputs = op, tuple(outputs)
        super().__init__(
            f"`{op}` has multiple outputs, but only one output was returned: None; its outputs are {listed(outputs)}",
            where=where,
            fix=f"return a tuple of {len(self.outputs)} values in this order, or yield an `Output` for each",
        )


class OneForSeveral(InvariantViolationError):
    """One value from an op with several outputs."""

    def __init__(self, op: str, outputs: Sequence[str], got: str, *, where: Source | None) -> None:
        self.op, self.outputs, self.got = op, tuple(outputs), got
        super().__init__(
            f"`{op}` has multiple outputs, but only one output was returned, of type {got}; its outputs are "
            f"{listed(outputs)}",
            where=where,
            fix=f"return a tuple of {len(self.outputs)} values in this order, or yield an `Output` for each",
        )


class NotDynamicOutput(InvariantViolationError):
    """Something other than a `DynamicOutput` for a dynamic output."""

    def __init__(self, op: str, output: str, got: str, *, where: Source | None) -> None:
        self.op, self.output, self.got = op, output, got
        super().__init__(
            f"`{op}` must yield DynamicOutput for its dynamic output `{output}`, and yielded {got}",
            where=where,
            fix='yield `DynamicOutput(value, mapping_key="...")`, or declare the output with `Out()`',
        )


class NotDynamicOutputs(InvariantViolationError):
    """Something other than a list of `DynamicOutput`s returned for a dynamic output."""

    def __init__(self, op: str, output: str, got: str, *, where: Source | None) -> None:
        self.op, self.output, self.got = op, output, got
        super().__init__(
            f"`{op}`: dynamic output '{output}' expected a list of DynamicOutput objects, and got {got}",
            where=where,
            fix="return a list of them, or yield them one by one: then the mapped steps start at once",
        )


class NotDynamic(InvariantViolationError):
    """A `DynamicOutput` for an output that is not dynamic."""

    def __init__(self, op: str, output: str, *, where: Source | None) -> None:
        self.op, self.output = op, output
        super().__init__(
            f"`{op}` gave a `DynamicOutput` for output `{output}`, but did not use DynamicOutputDefinition or "
            "`DynamicOut` to declare it",
            where=where,
            fix="declare it: `@op(out=DynamicOut())`",
        )


class MappingKeyTwice(InvariantViolationError):
    """Two values of a dynamic output under one mapping key."""

    def __init__(self, op: str, output: str, key: str, *, where: Source | None) -> None:
        self.op, self.output, self.key = op, output, key
        super().__init__(
            f'`{op}` yielded mapping_key "{key}" multiple times for its output `{output}`',
            where=where,
            fix="give each value a key of its own",
        )


class WrongLength(InvariantViolationError):
    """A tuple with more or fewer values than there are outputs."""

    def __init__(self, op: str, outputs: Sequence[str], length: int, *, where: Source | None) -> None:
        self.op, self.outputs, self.length = op, tuple(outputs), length
        super().__init__(
            f"`{op}` returned a tuple of {length} values and has {len(self.outputs)} outputs: {listed(outputs)}",
            where=where,
            fix="return one value for each output, in this order; to leave an optional one out, yield `Output`s",
        )


class WrongPosition(InvariantViolationError):
    """A named `Output` at another output's place in a tuple."""

    def __init__(self, op: str, position: int, expected: str, got: str, *, where: Source | None) -> None:
        self.op, self.position, self.expected, self.got = op, position, expected, got
        super().__init__(
            f"`{op}` returned a tuple with `{got}` at position {position}, where `{expected}` belongs",
            where=where,
            fix="put the values in the order of the declared outputs, or yield the `Output`s",
        )


class UnknownOutput(InvariantViolationError):
    """An output that the op does not have."""

    def __init__(self, op: str, output: str, outputs: Sequence[str], *, where: Source | None) -> None:
        self.op, self.output, self.outputs = op, output, tuple(outputs)
        super().__init__(
            f"`{op}` has no output `{output}`; it has {listed(outputs)}",
            where=where,
            fix=_meant(output, self.outputs) + "name one of its outputs, as in `Output(value, output_name=...)`",
        )


class OutputTwice(InvariantViolationError):
    """The same output for the second time."""

    def __init__(self, op: str, output: str, *, where: Source | None) -> None:
        self.op, self.output = op, output
        super().__init__(
            f"`{op}` gave its output `{output}` a second time", where=where, fix="yield each output at most once"
        )


class BareYield(InvariantViolationError):
    """A value that was yielded without saying for which output."""

    def __init__(self, op: str, got: str, outputs: Sequence[str], *, where: Source | None) -> None:
        self.op, self.got, self.outputs = op, got, tuple(outputs)
        example = self.outputs[0] if self.outputs else "result"
        super().__init__(
            f"`{op}` yielded a value of type <class '{got}'>, bare, and not for an output",
            where=where,
            fix=f"wrap it: `yield Output(value, output_name={example!r})`; its outputs: {listed(outputs)}",
        )


class NoOutputs(InvariantViolationError):
    """A value from an op that has no outputs."""

    def __init__(self, op: str, got: str, *, where: Source | None) -> None:
        self.op, self.got = op, got
        super().__init__(
            f"`{op}` has no outputs and returned a value of type {got}",
            where=where,
            fix="declare an `out`, or return nothing",
        )


class ValueForNothing(TypeCheckDidNotPass, InvariantViolationError):
    """A value for an output that has none."""

    def __init__(self, op: str, output: str, got: str, *, where: Source | None) -> None:
        self.op, self.output, self.got = op, output, got
        TypeCheckDidNotPass.__init__(
            self,
            f"the output `{output}` of `{op}` is declared without a value (`-> None`), and one of type {got} came",
            where=where,
            fix="annotate what the function returns, or return nothing",
        )


class WrongKind(InvariantViolationError):
    """Something else than the annotation says: a plain value for `-> Output[int]`."""

    def __init__(self, op: str, output: str, expected: str, got: str, *, where: Source | None) -> None:
        self.op, self.output, self.expected, self.got = op, output, expected, got
        super().__init__(
            f"`{op}` is annotated to return `{expected}` for the output `{output}` and returned a value of type {got}",
            where=where,
            fix=f"return `{expected}(...)`, or change the annotation",
        )


class OutputForPlain(InvariantViolationError):
    """An `Output` where the annotation says that the value itself is returned."""

    def __init__(self, op: str, output: str, annotation: str, *, where: Source | None) -> None:
        self.op, self.output, self.annotation = op, output, annotation
        super().__init__(
            f"`{op}` returned an `Output` for its output `{output}`, which does not have an Output annotation: it is "
            f"`{annotation}`",
            where=where,
            fix=f"annotate it as `Output[{annotation}]`, or return the value alone",
        )


class WrongOrder(InvariantViolationError):
    """An asset that came before one that it depends on."""

    def __init__(self, op: str, output: str, dependency: str, *, where: Source | None) -> None:
        self.op, self.output, self.dependency = op, output, dependency
        super().__init__(
            f"`{op}` gave its output `{output}` before `{dependency}`, which it depends on",
            where=where,
            fix=f"yield `{dependency}` first, or declare the outputs in this order",
        )


class ReportReturned(InvariantViolationError):
    """A materialization that was returned instead of yielded."""

    def __init__(self, op: str, *, where: Source | None) -> None:
        self.op = op
        super().__init__(
            f"`{op}` returned an `AssetMaterialization`, which is no value",
            where=where,
            fix="report it with `context.log_event(...)`, or return a `MaterializeResult`",
        )


class ResultWithoutAsset(InvariantViolationError):
    """A `MaterializeResult` from an op that makes no asset."""

    def __init__(self, op: str, *, where: Source | None) -> None:
        self.op = op
        super().__init__(
            f"`{op}` gave a `MaterializeResult`, and none of its outputs is an asset",
            where=where,
            fix="give an `Output(value, metadata=...)`",
        )


class WhichAsset(InvariantViolationError):
    """A `MaterializeResult` or a question about "the" asset where there are several, or another one."""

    def __init__(self, op: str, what: str, keys: Iterable[AssetKey], *, where: Source | None, fix: str) -> None:
        self.op, self.keys = op, tuple(sorted(keys))
        names = listed(key.to_user_string() for key in self.keys)
        super().__init__(f"{what}: `{op}` makes {names}", where=where, fix=fix)


class OutputMissing(StepOutputNotFoundError):
    """A step ended without a required output."""

    def __init__(self, op: str, output: str, came: Iterable[str], *, where: Source | None) -> None:
        self.op, self.output, self.came = op, output, tuple(sorted(came))
        super().__init__(
            f"`{op}` ended without its required output `{output}`; what came: {listed(self.came)}",
            where=where,
            fix=f"yield it in every case, or declare it optional: `{output!r}: Out(is_required=False)`",
        )


class OutputMissingInCall(InvariantViolationError):
    """A direct call ended without a required output."""

    def __init__(self, op: str, output: str, came: Iterable[str], *, where: Source | None) -> None:
        self.op, self.output, self.came = op, output, tuple(sorted(came))
        super().__init__(
            f"`{op}` ended without its required output `{output}`; what came: {listed(self.came)}",
            where=where,
            fix=f"yield it in every case, or declare it optional: `{output!r}: Out(is_required=False)`",
        )


# -- the context ----------------------------------------------------------------


class MetadataTooLate(InvariantViolationError):
    """Metadata for an output that came already."""

    def __init__(self, op: str, output: str, *, where: Source | None) -> None:
        self.op, self.output = op, output
        super().__init__(
            f"`{op}` added metadata to its output `{output}` after it was yielded",
            where=where,
            fix="add the metadata before, or give it with the value: `Output(value, metadata=...)`",
        )


class MetadataForWhich(InvariantViolationError):
    """Metadata that does not say for which of several outputs."""

    def __init__(self, op: str, outputs: Sequence[str], *, where: Source | None) -> None:
        self.op, self.outputs = op, tuple(outputs)
        super().__init__(
            f"`{op}` added output metadata without saying to which of its outputs {listed(outputs)}",
            where=where,
            fix="name it: `context.add_output_metadata(..., output_name=...)`",
        )


class NoStepUnderWay(InvariantViolationError):
    """A step's context was asked for where no step is under way."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(
            f"`{kind}.get()` was called, and no step with such a context is under way here",
            fix="call it while an op runs, in its own thread, or hand the context on as an argument",
        )


class InvalidPropertyError(InvariantViolationError):
    """Something was asked of a context that it does not have, because of how it was made."""


class NoAssets(InvalidPropertyError):
    """An asset was asked for in an op that belongs to none."""

    def __init__(self, op: str, member: str) -> None:
        self.op, self.member = op, member
        super().__init__(
            f"`context.{member}` was read in `{op}`, which belongs to no asset: it does not have an assets definition",
            fix="ask `context.has_assets_def` first",
        )


class NotInTests(InvalidPropertyError):
    """Something that only a run has was asked of a context made for a test."""

    def __init__(self, member: str, builder: str) -> None:
        self.member = member
        super().__init__(
            f"`context.{member}` was read, and this context was made for a direct call, without a run",
            fix=f"give it to `{builder}`, or run the op with `materialize` or `execute_in_process`",
        )


class ResourceNotGiven(UnknownResourceError):
    """A resource is asked for that is not there, or that the op does not say it needs."""

    def __init__(self, key: str, known: Sequence[str], *, there: bool = False) -> None:
        self.key, self.known = key, tuple(known)
        what = (
            f"resource `{key}` is not made for this op, which does not say that it needs it"
            if there
            else (f"there is no resource `{key}`; there are {listed(known)}")
        )
        super().__init__(
            what,
            fix=("" if there else _meant(key, self.known) + "give it in `resources`, and ")
            + f"list it in `required_resource_keys`: {{{key!r}}}",
        )


# -- direct calls ---------------------------------------------------------------


class ContextMissing(InvalidInvocationError):
    """A direct call without the context that the function takes."""

    def __init__(self, op: str, builder: str, got: str = "", *, where: Source | None) -> None:
        self.op = op
        super().__init__(
            f"`{op}` takes a context as its first argument, and got a value of type {got} in its place"
            if got
            else f"`{op}` takes a context as its first argument, and no context was provided",
            where=where,
            fix=f"call it with `{builder}()` first",
        )


class TooManyArguments(InvalidInvocationError):
    """A direct call with more positional arguments than there are inputs."""

    def __init__(self, op: str, given: int, params: Sequence[str], *, where: Source | None, kind: str = "op") -> None:
        self.op, self.given, self.params = op, given, tuple(params)
        super().__init__(
            f"{kind} `{op}` was called with too many arguments: {given} by position, and it takes "
            f"{len(self.params)}: {listed(params)}",
            where=where,
            fix="inputs that only order (`Nothing`) are not given in a direct call, nor are resources",
        )


class ConfigTwice(InvalidInvocationError):
    """A direct call was given configuration in two ways."""

    def __init__(self, name: str, *, where: Source | None) -> None:
        self.name = name
        super().__init__(
            f"Cannot provide config in both context and kwargs: `{name}` was called with `config` and with a context "
            "that has some",
            where=where,
            fix="give it in one of them only",
        )


class UnknownArguments(InvalidInvocationError):
    """A direct call with arguments that are no inputs, or twice."""

    def __init__(self, op: str, names: Sequence[str], params: Sequence[str], *, where: Source | None) -> None:
        self.op, self.names, self.params = op, tuple(names), tuple(params)
        super().__init__(
            f"`{op}` was called with {listed(names)}, unknown or given twice; it takes {listed(params)}",
            where=where,
            fix=_meant(self.names[0], self.params)
            + "inputs that only order (`Nothing`) are not given in a direct call",
        )


class ResourcesTwice(InvalidInvocationError):
    """A direct call has resources as arguments and in its context."""

    def __init__(self, op: str, given: Sequence[str], there: Sequence[str], *, where: Source | None) -> None:
        self.op, self.given, self.there = op, tuple(given), tuple(there)
        super().__init__(
            f"Cannot provide resources in both context and kwargs: `{op}` was given {listed(given)} as arguments, and "
            f"its context has the resources {listed(there)}",
            where=where,
            fix="give all resources as arguments, or all in the context",
        )


class ResourcesOnBoth(InvalidInvocationError):
    """A direct call has a resource in its context that the definition brings with it."""

    def __init__(self, owner: str, keys: Sequence[str], *, where: Source | None) -> None:
        self.owner, self.keys = owner, tuple(keys)
        super().__init__(
            f"`{owner}` brings the resources {listed(keys)} with it, and its context has them too",
            where=where,
            fix="take them out of the context, or out of the definition's `resource_defs`",
        )


class MissingArguments(InvalidInvocationError):
    """A direct call without a value for an input that has no default."""

    def __init__(self, op: str, names: Sequence[str], *, where: Source | None) -> None:
        self.op, self.names = op, tuple(names)
        super().__init__(
            f"`{op}` was called without {listed(names)}",
            where=where,
            fix="give a value for each of its inputs",
        )


class InputNotGiven(InvalidInvocationError):
    """A run of a graph without a value for an input that has no other."""

    def __init__(self, name: str, step: str, *, where: Source | None) -> None:
        self.name, self.step = name, step
        super().__init__(
            f"nobody gave a value for the input `{name}`, which `{step}` needs",
            where=where,
            fix=f'pass it: `execute_in_process(input_values={{"{name}": …}})`',
        )
