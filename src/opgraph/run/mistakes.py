"""What an op can do wrong with its outputs, its context and its arguments: one class each.

Those of outputs are `InvariantViolationError`s, as users know them; a required output that did not come is a
`StepOutputNotFoundError` in a run.
"""

from collections.abc import Iterable, Sequence

from opgraph.errors import (
    Error,
    InvalidInvocationError,
    InvariantViolationError,
    Mistake,
    Source,
    StepOutputNotFoundError,
    UnknownResourceError,
    listed,
)
from opgraph.keys import AssetKey, Meant, did_you_mean
from opgraph.run.types import TypeCheckDidNotPass

# -- outputs --------------------------------------------------------------------


class OutputMistake(Mistake, InvariantViolationError):
    """What an op did wrong with one of its outputs."""

    op: str
    output: str


class NoneForSeveral(Mistake, InvariantViolationError):
    """A bare None from an op with several outputs."""

    op: str
    outputs: Sequence[str]
    says = "`{op}` has multiple outputs, but only one output was returned: None; its outputs are {outputs}"
    mend = "return a tuple of {count} values in this order, or yield an `Output` for each"

    @property
    def count(self) -> int:
        """How many outputs it has."""
        return len(self.outputs)


class OneForSeveral(NoneForSeveral):
    """One value from an op with several outputs."""

    got: str
    says = "`{op}` has multiple outputs, but only one output was returned, of type {got}; its outputs are {outputs}"


class NotDynamicOutput(OutputMistake):
    """Something other than a `DynamicOutput` for a dynamic output."""

    got: str
    says = "`{op}` must yield DynamicOutput for its dynamic output `{output}`, and yielded {got}"
    mend = 'yield `DynamicOutput(value, mapping_key="...")`, or declare the output with `Out()`'


class NotDynamicOutputs(OutputMistake):
    """Something other than a list of `DynamicOutput`s returned for a dynamic output."""

    got: str
    says = "`{op}`: dynamic output '{output}' expected a list of DynamicOutput objects, and got {got}"
    mend = (
        'make each a `DynamicOutput(value, mapping_key="...")`, and return a list of them, or yield them one by one: '
        "then the mapped steps start at once"
    )


class NotDynamic(OutputMistake):
    """A `DynamicOutput` for an output that is not dynamic."""

    says = (
        "`{op}` gave a `DynamicOutput` for output `{output}`, but did not use DynamicOutputDefinition or `DynamicOut` "
        "to declare it"
    )
    mend = "declare it: `@op(out=DynamicOut())`"


class MappingKeyTwice(OutputMistake):
    """Two values of a dynamic output under one mapping key."""

    key: str
    says = '`{op}` yielded mapping_key "{key}" multiple times for its output `{output}`'
    mend = "give each value a key of its own"


class WrongLength(NoneForSeveral):
    """A tuple with more or fewer values than there are outputs."""

    length: int
    says = "`{op}` returned a tuple of {length} values and has {count} outputs: {outputs}"
    mend = "return one value for each output, in this order; to leave an optional one out, yield `Output`s"


class WrongPosition(Mistake, InvariantViolationError):
    """A named `Output` at another output's place in a tuple."""

    op: str
    position: int
    expected: str
    got: str
    says = "`{op}` returned a tuple with `{got}` at position {position}, where `{expected}` belongs"
    mend = "put the values in the order of the declared outputs, or yield the `Output`s"


class UnknownOutput(OutputMistake):
    """An output that the op does not have."""

    outputs: Sequence[str]
    says = "`{op}` has no output `{output}`; it has {outputs}"
    mend = "{meant}name one of its outputs, as in `Output(value, output_name=...)`"

    @property
    def meant(self) -> str:
        """What the user may have meant."""
        return did_you_mean(self.output, self.outputs)


class OutputTwice(OutputMistake):
    """The same output for the second time."""

    says = "`{op}` gave its output `{output}` a second time"
    mend = "yield each output at most once"


class BareYield(Mistake, InvariantViolationError):
    """A value that was yielded without saying for which output."""

    op: str
    got: str
    outputs: Sequence[str]
    says = "`{op}` yielded a value of type <class '{got}'>, bare, and not for an output"
    mend = "wrap it: `yield Output(value, output_name={example!r})`; its outputs: {outputs}"

    @property
    def example(self) -> str:
        """An output that it has."""
        return self.outputs[0] if self.outputs else "result"


class NoOutputs(Mistake, InvariantViolationError):
    """A value from an op that has no outputs."""

    op: str
    got: str
    says = "`{op}` has no outputs and returned a value of type {got}"
    mend = "declare an `out`, or return nothing"


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


class WrongKind(OutputMistake):
    """Something else than the annotation says: a plain value for `-> Output[int]`."""

    expected: str
    got: str
    says = "`{op}` is annotated to return `{expected}` for the output `{output}` and returned a value of type {got}"
    mend = "return `{expected}(...)`, or change the annotation"


class OutputForPlain(OutputMistake):
    """An `Output` where the annotation says that the value itself is returned."""

    annotation: str
    says = (
        "`{op}` returned an `Output` for its output `{output}`, which does not have an Output annotation: it is "
        "`{annotation}`"
    )
    mend = "annotate it as `Output[{annotation}]`, or return the value alone"


class WrongOrder(OutputMistake):
    """An asset that came before one that it depends on."""

    dependency: str
    says = "`{op}` gave its output `{output}` before `{dependency}`, which it depends on"
    mend = "yield `{dependency}` first, or declare the outputs in this order"


class ReportReturned(Mistake, InvariantViolationError):
    """A materialization that was returned instead of yielded."""

    op: str
    says = "`{op}` returned an `AssetMaterialization`, which is no value"
    mend = "report it with `context.log_event(...)`, or return a `MaterializeResult`"


class ResultWithoutAsset(Mistake, InvariantViolationError):
    """A `MaterializeResult` from an op that makes no asset."""

    op: str
    says = "`{op}` gave a `MaterializeResult`, and none of its outputs is an asset"
    mend = "give an `Output(value, metadata=...)`"


class WhichAsset(InvariantViolationError):
    """A `MaterializeResult` or a question about "the" asset where there are several, or another one."""

    def __init__(self, op: str, what: str, keys: Iterable[AssetKey], *, where: Source | None, fix: str) -> None:
        self.op, self.keys = op, tuple(sorted(keys))
        names = listed(key.to_user_string() for key in self.keys)
        super().__init__(f"{what}: `{op}` makes {names}", where=where, fix=fix)


class OutputMissing(Mistake, StepOutputNotFoundError):
    """A step ended without a required output."""

    op: str
    output: str
    came: Iterable[str]
    says = "`{op}` ended without its required output `{output}`; what came: {came}"
    mend = "yield it in every case, or declare it optional: `{output!r}: Out(is_required=False)`"


class OutputMissingInCall(OutputMistake):
    """A direct call ended without a required output."""

    came: Iterable[str]
    says = OutputMissing.says
    mend = OutputMissing.mend


# -- the context ----------------------------------------------------------------


class MetadataTooLate(OutputMistake):
    """Metadata for an output that came already."""

    says = "`{op}` added metadata to its output `{output}` after it was yielded"
    mend = "add the metadata before, or give it with the value: `Output(value, metadata=...)`"


class MetadataForWhich(Mistake, InvariantViolationError):
    """Metadata that does not say for which of several outputs."""

    op: str
    outputs: Sequence[str]
    says = "`{op}` added output metadata without saying to which of its outputs {outputs}"
    mend = "name it: `context.add_output_metadata(..., output_name=...)`"


class NoStepUnderWay(Mistake, InvariantViolationError):
    """A step's context was asked for where no step is under way."""

    kind: str
    says = "`{kind}.get()` was called, and no step with such a context is under way here"
    mend = "call it while an op runs, in its own thread, or hand the context on as an argument"


class InvalidPropertyError(InvariantViolationError):
    """Something was asked of a context that it does not have, because of how it was made."""


class NoAssets(Mistake, InvalidPropertyError):
    """An asset was asked for in an op that belongs to none."""

    op: str
    member: str
    says = "`context.{member}` was read in `{op}`, which belongs to no asset: it does not have an assets definition"
    mend = "ask `context.has_assets_def` first"


class NoSuchMember(Mistake, Error, AttributeError):
    """A context was asked for something that no context has."""

    owner: str
    member: str
    known: Sequence[str]
    meant = Meant("member", "known")
    says = "{owner} has no '{member}'"
    mend = "{meant}`help({owner})` lists what there is"


class NotInTests(Mistake, InvalidPropertyError):
    """Something that only a run has was asked of a context made for a test."""

    member: str
    builder: str
    says = "`context.{member}` was read, and this context was made for a direct call, without a run"
    mend = "give it to `{builder}`, or run the op with `materialize` or `execute_in_process`"


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
            fix=("" if there else did_you_mean(key, self.known) + "give it in `resources`, and ")
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


class TooManyArguments(Mistake, InvalidInvocationError):
    """A direct call with more positional arguments than there are inputs."""

    op: str
    given: int
    params: Sequence[str]
    kind: str = "op"
    says = "{kind} `{op}` was called with too many arguments: {given} by position, and it takes {count}: {params}"
    mend = "inputs that only order (`Nothing`) are not given in a direct call, nor are resources"

    @property
    def count(self) -> int:
        """How many it takes."""
        return len(self.params)


class ConfigTwice(Mistake, InvalidInvocationError):
    """A direct call was given configuration in two ways."""

    name: str
    says = (
        "Cannot provide config in both context and kwargs: `{name}` was called with `config` and with a context that "
        "has some"
    )
    mend = "give it in one of them only"


class UnknownArguments(Mistake, InvalidInvocationError):
    """A direct call with arguments that are no inputs, or twice."""

    op: str
    names: Sequence[str]
    params: Sequence[str]
    says = "`{op}` was called with {names}, unknown or given twice; it takes {params}"
    mend = "{meant}inputs that only order (`Nothing`) are not given in a direct call"

    @property
    def meant(self) -> str:
        """What the user may have meant."""
        return did_you_mean(self.names[0], self.params)


class ResourcesTwice(Mistake, InvalidInvocationError):
    """A direct call has resources as arguments and in its context."""

    op: str
    given: Sequence[str]
    there: Sequence[str]
    says = (
        "Cannot provide resources in both context and kwargs: `{op}` was given {given} as arguments, and its context "
        "has the resources {there}"
    )
    mend = "give all resources as arguments, or all in the context"


class ResourcesOnBoth(Mistake, InvalidInvocationError):
    """A direct call has a resource in its context that the definition brings with it."""

    owner: str
    keys: Sequence[str]
    says = "`{owner}` brings the resources {keys} with it, and its context has them too"
    mend = "take them out of the context, or out of the definition's `resource_defs`"


class MissingArguments(Mistake, InvalidInvocationError):
    """A direct call without a value for an input that has no default."""

    op: str
    names: Sequence[str]
    says = "`{op}` was called without {names}"
    mend = "give a value for each of its inputs"


class InputNotGiven(Mistake, InvalidInvocationError):
    """A run of a graph without a value for an input that has no other."""

    name: str
    step: str
    says = "nobody gave a value for the input `{name}`, which `{step}` needs"
    mend = 'pass it: `execute_in_process(input_values={{"{name}": …}})`'
