"""I/O managers: how the values of outputs are stored and come back as inputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from opgraph.errors import Source
from opgraph.values.codec import checksum, decode, encode
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.files import FileStore
from opgraph.values.problems import NoFolder, UnfinishedManager, ValueLostError


class InputManager(ABC):
    """Loads values for inputs that name it: `In(input_manager_key=...)`. Subclass it for a source of your own.

    Example:
        >>> class FromCsv(InputManager):
        ...     def load_input(self, context):
        ...         return list(csv.reader(open(context.metadata["path"])))
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Refuses a class without the methods that its kind needs.

        Raises:
            UnfinishedManager: it is one.
        """
        if missing := getattr(cls, "__abstractmethods__", None):
            raise UnfinishedManager(cls, sorted(missing), where=Source.of_class(cls))
        return super().__new__(cls)

    @abstractmethod
    def load_input(self, context: InputContext) -> Any:
        """Load a value. An exception fails the step that asks for it."""


class IOManager(InputManager):
    """Stores the values of outputs and loads them for inputs. Subclass it for a storage of your own.

    An asset is stored under its key and read by others later; an intermediate belongs to its run.
    `context.get_identifier()` gives a place for either. A manager that writes each value to a new place, and says where
    in `context.location`, sets `versioned = True`: its old values can then be reused by later runs.

    Example:
        >>> class JsonFiles(IOManager):
        ...     def handle_output(self, context, obj):
        ...         Path("-".join(context.get_identifier()) + ".json").write_text(json.dumps(obj))
        ...
        ...     def load_input(self, context):
        ...         return json.loads(Path("-".join(context.get_identifier()) + ".json").read_text())
    """

    versioned: ClassVar[bool] = False

    @abstractmethod
    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Store a value. An exception fails the step that made it."""

    @abstractmethod
    def load_input(self, context: InputContext) -> Any:
        """Load a value. An exception fails the step that asks for it."""


class FilesystemIOManager(IOManager):
    """Pickles values into files of a folder. Files are never overwritten; the record knows which one is current.

    Args:
        base_dir: the folder. Without one, values go where the instance keeps its values, small intermediates into the
            record itself.

    Raises:
        UnstorableValueError: by `handle_output`, pickle refuses the value.
        ValueNotWrittenError: by `handle_output`, the operating system refused to write.
        ValueLostError: by `load_input`, the file is gone or damaged, or the asset was never materialized.

    Example:
        >>> materialize([table], resources={"io_manager": FilesystemIOManager("data")})
    """

    versioned: ClassVar[bool] = True

    def __init__(self, base_dir: str | Path | None = None) -> None:
        self.base_dir = str(base_dir) if base_dir is not None else None
        self._stores: dict[str, FileStore] = {}

    @staticmethod
    def configured(config: Mapping[str, Any], name: str | None = None) -> "FilesystemIOManager":
        """One with the folder `config["base_dir"]`, if there is such a key. `name` is not read."""
        del name
        return FilesystemIOManager(config.get("base_dir"))

    @staticmethod
    def configure_at_launch(base_dir: str | Path | None = None) -> Any:
        """One whose folder comes with the run: `run_config["resources"][key]["config"]["base_dir"]`."""
        return _AtLaunch({"base_dir": base_dir})

    def files(self, storage: str) -> FileStore:
        """The files of this manager in an instance whose values are kept in the folder `storage`."""
        root = self.base_dir or storage
        store = self._stores.get(root)
        if store is None:
            if not root:
                raise NoFolder(type(self).__name__, where=Source.of_caller())
            store = self._stores[root] = FileStore(root)
        return store

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Write the value to a new file and say where it is in `context.location`. An asset's survives a power cut."""
        data = encode(obj, context.name, context.step_key)
        parts = (
            context.step_key,
            str(context.attempt),
            context.name,
            *((context.mapping_key,) if context.mapping_key else ()),
        )
        files = self.files(context.storage)
        folder = context.run_id or "no run"
        if self.base_dir is not None and context.key is not None:  # where people look for it
            folder, parts = context.key.to_user_string(), (folder, *parts)
        context.location = files.write(data, folder, *parts, durable=context.has_asset_key)
        context.size = len(data)
        context.checksum = checksum(data)

    def load_input(self, context: InputContext) -> Any:
        """Read the file that the record names, and verify it."""
        made = context.upstream_output
        if made is None or not made.location:
            name = context.key.to_user_string() if context.key is not None else repr(context)
            raise ValueLostError("missing", name, "no materialization of it is recorded")
        data = self.files(context.storage).read(made.location, made.checksum, made.size)
        return decode(data, location=made.location)


class _AtLaunch:
    """A FilesystemIOManager that the run's configuration completes. The rooms above make it; see their `Recipe`."""

    versioned = True

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def opgraph_requires(self) -> frozenset[str]:
        return frozenset()

    def opgraph_lasts(self) -> bool:
        return False

    def opgraph_fields(self) -> tuple[type[FilesystemIOManager], Mapping[str, Any]]:
        return FilesystemIOManager, self._given

    def opgraph_open(self, context: object) -> Any:  # noqa: ARG002 - as every resource has it
        raise AssertionError  # the manager itself is used as it is


class InMemoryIOManager(IOManager):
    """Keeps values in this process: an asset's last value, and intermediates by run. Nothing is copied.

    Example:
        >>> manager = InMemoryIOManager()
        >>> materialize([table], resources={"io_manager": manager})
        >>> manager.values[("table",)]
    """

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], Any] = {}

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Keep the object."""
        self.values[tuple(context.get_identifier())] = obj

    def load_input(self, context: InputContext) -> Any:
        """The object that was kept.

        Raises:
            ValueLostError: this process has none.
        """
        identifier = tuple(context.get_identifier())
        try:
            return self.values[identifier]
        except KeyError:
            raise ValueLostError("missing", "/".join(identifier), "it was in the memory of a process") from None


fs_io_manager = FilesystemIOManager()
mem_io_manager = InMemoryIOManager()
