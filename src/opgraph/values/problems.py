"""What can go wrong with a value on its way to storage and back."""

from collections.abc import Sequence
from typing import Literal

from opgraph.errors import Error, InvalidDefinitionError, InvariantViolationError, Mistake, Source, ValueNotFoundError


class NoFolder(Mistake, InvariantViolationError):
    """An I/O manager that keeps files and was given no folder for them, outside any instance."""

    manager: str
    says = "{manager} has no folder to keep values in"
    mend = "give it one: FilesystemIOManager(base_dir=...)"


class UnfinishedManager(Mistake, InvalidDefinitionError, TypeError):
    """An object was made of an I/O manager's class without all the methods that it needs."""

    cls: type
    methods: Sequence[str]
    says = "`{cls.__name__}` has no {methods}, which its kind of class needs"
    mend = "write {methods} in the class; where nobody loads what it stores, `load_input` may raise an error"


class MetadataTwice(InvariantViolationError):
    """An I/O manager added metadata of one name twice."""

    def __init__(self, output: str, names: Sequence[str]) -> None:
        self.output, self.names = output, tuple(names)
        super().__init__(
            f"metadata {', '.join(map(repr, names))} was added twice to output '{output}'",
            where=Source.of_caller(),
            fix="add each name once",
        )


class NoInputAsks(Mistake, InvariantViolationError):
    """An I/O manager read the name of the input that it loads for, where a person loads the value."""

    says = "`context.name` was read, and no op's input asks for this value"
    mend = "ask `context.has_input_name` first"


class UnstorableValueError(Error):
    """A value cannot be turned into bytes. `__cause__` says why.

    Args:
        type_name: the value's class.
        output: the output that it came from.
        step_key: the step that made it; empty where no run is involved.
        writer: what makes bytes of values there.
    """

    def __init__(
        self, type_name: str, *, output: str = "", step_key: str = "", reason: str = "", writer: str = "pickle"
    ) -> None:
        self.type_name = type_name
        self.output = output
        self.step_key = step_key
        place = f"output '{output}'" if output else "a value"
        place += f" of '{step_key}'" if step_key else ""
        super().__init__(
            f"{place} is a {type_name} that cannot be stored" + (f": {reason}" if reason else ""),
            fix=f"return something that {writer} can write, or give the output an I/O manager that knows the type",
        )


class ValueLostError(ValueNotFoundError):
    """A value that was stored is gone, or is not what was written.

    Args:
        why: `missing` or `damaged`.
        location: where it was.
    """

    def __init__(self, why: Literal["missing", "damaged"], location: str, detail: str = "") -> None:
        self.why = why
        self.location = location
        super().__init__(
            f"the stored value {location or 'inside the record'} is {why}" + (f": {detail}" if detail else ""),
            fix="run the step that made it again; a resumed run does so by itself",
        )


class UnloadableValueError(ValueNotFoundError):
    """The bytes of a value are as they were written, and can't be turned into the value. `__cause__` says why."""

    def __init__(self, type_name: str, location: str, reason: str) -> None:
        self.type_name = type_name
        self.location = location
        super().__init__(
            f"the stored value {location or 'inside the record'}, a {type_name or 'value'}, cannot be read: {reason}",
            fix="its class was moved, renamed or changed since: undo that, or run the step that made it again",
        )


class ValueNotWrittenError(Mistake):
    """The storage refused a value. Nothing of it was left behind; `__cause__` is the operating system's error."""

    folder: str
    size: int
    reason: str
    says = "{size} bytes could not be written below {folder}: {reason}"
    mend = "make room there, or check that it can be written, and resume the run"


class UnpartitionedError(Mistake, InvariantViolationError):
    """A partition was asked for where there is none."""

    member: str
    says = "`context.{member}` was read in a run without a partition"
    mend = "ask `context.has_partition_key` first, or give the run a partition"


class NoAssetError(Mistake, InvariantViolationError):
    """The asset key of an input or output was asked for that belongs to no asset."""

    name: str
    says = "'{name}' belongs to no asset, so it has no asset key"
    mend = "ask `context.has_asset_key` first"
