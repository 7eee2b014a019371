"""I/O managers that write one file a value: a subclass says how a value is written to a path, and read from it."""

from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, cast

from opgraph.errors import InvalidConfigError, InvariantViolationError, Mistake
from opgraph.values.context import InputContext, OutputContext
from opgraph.values.manager import IOManager
from opgraph.values.problems import ValueLostError


class NoBasePath(Mistake, InvariantViolationError):
    """An I/O manager of files does not know where its files are."""

    name: str
    says = "`{name}` has no base path"
    mend = 'give it one: `{name}(base_path=Path("data"))`'


# Where there are no folders: what would make one makes a bucket of a mistyped name.
BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}


class NoLibraryForURL(InvalidConfigError):
    """A base path is a URL, and what reads it is not installed."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        scheme = url.partition("://")[0]
        super().__init__(
            f"the library for `{scheme}://` URLs is not installed: {reason}",
            fix="pip install 'opgraph[cloud]', and for another scheme than s3 what fsspec needs for it",
        )


class UPathIOManager(IOManager):
    """Writes one file a value, at a path that follows from the asset's key: `base/prefix/name.extension`. Subclass it
    with `dump_to_path` and `load_from_path`.

    Paths are `pathlib` paths, or any others that work like them, as those of universal-pathlib do. A file is
    overwritten by the next materialization.

    Args:
        base_path: the folder; by default the instance's. A URL, `s3://bucket/texts`, needs the `cloud` extra; where it
            needs credentials of its own, give a `UPath("s3://bucket/texts", key=..., secret=...)`.

    Raises:
        NoLibraryForURL: what reads the URL is not installed.

    Example:
        >>> class Texts(UPathIOManager):
        ...     extension = ".txt"
        ...
        ...     def dump_to_path(self, context, obj, path):
        ...         path.write_text(obj)
        ...
        ...     def load_from_path(self, context, path):
        ...         return path.read_text()
        >>> defs = Definitions(assets=[text], resources={"io_manager": Texts(Path("texts"))})
    """

    extension: ClassVar[str | None] = None  # with its dot, as in ".csv"

    def __init__(self, base_path: Any = None) -> None:
        # Subclasses that are pydantic models too keep it among their fields.
        object.__setattr__(self, "_base_path", _path(base_path) if isinstance(base_path, str) else base_path)

    # -- what subclasses define -------------------------------------------------------

    @abstractmethod
    def dump_to_path(self, context: OutputContext, obj: Any, path: Any) -> None:
        """Write a value to a path. Its folder is there."""

    @abstractmethod
    def load_from_path(self, context: InputContext, path: Any) -> Any:
        """Read the value at a path."""

    def get_metadata(self, context: OutputContext, obj: Any) -> Mapping[str, Any]:
        """What to keep with a value that was written, besides its path."""
        del context, obj
        return {}

    # -- paths ------------------------------------------------------------------------

    def base_path_of(self, context: OutputContext | InputContext) -> Any:
        """The folder of all files."""
        base = getattr(self, "_base_path", None)
        if base is None and context.storage:
            base = Path(context.storage)
        if base is None:
            raise NoBasePath(type(self).__name__)
        return base

    def get_asset_relative_path(self, context: OutputContext | InputContext) -> Any:
        """Where an asset is, below the base path, without the extension."""
        return Path(*context.asset_key.path)

    def get_op_output_relative_path(self, context: OutputContext | InputContext) -> Any:
        """Where an intermediate is, below the base path, without the extension."""
        return Path(*context.get_identifier())

    def get_path(self, context: OutputContext | InputContext) -> Any:
        """The whole path of a value."""
        relative = (
            self.get_asset_relative_path(context)
            if context.has_asset_key
            else self.get_op_output_relative_path(context)
        )
        path = self.base_path_of(context) / str(relative)
        return path.with_name(path.name + self.extension) if self.extension else path

    def make_directory(self, path: Any) -> None:
        """Make a folder and those above it, where there are folders."""
        if getattr(path, "protocol", "") not in BUCKETS:
            path.mkdir(parents=True, exist_ok=True)

    def path_exists(self, path: Any) -> bool:
        """Whether there is something at a path."""
        return bool(path.exists())

    def unlink(self, path: Any) -> None:
        """Remove a file, or a folder that was written as a value."""
        if path.is_dir():
            for each in path.iterdir():
                self.unlink(each)
            path.rmdir()
        else:
            path.unlink()

    # -- values -----------------------------------------------------------------------

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Write a value, in place of the one before. Outputs without a value write nothing."""
        if obj is None and not context.has_asset_key:
            return
        path = self.get_path(context)
        self.make_directory(path.parent)
        self.dump_to_path(context=context, obj=obj, path=path)
        context.add_output_metadata({"path": _shown(path), **self.get_metadata(context=context, obj=obj)})

    def load_input(self, context: InputContext) -> Any:
        """Read a value.

        Raises:
            ValueLostError: there is no file.
        """
        path = self.get_path(cast("Any", context))
        try:
            return self.load_from_path(context=context, path=path)
        except FileNotFoundError as error:
            raise ValueLostError("missing", str(path)) from error


def _path(text: str) -> Any:
    if "://" not in text:
        return Path(text)
    try:  # an extra; not connected yet: what is, does not outlive the fork of a worker
        import_module("fsspec.registry").get_filesystem_class(text.partition("://")[0].rpartition("::")[2])
        return import_module("upath").UPath(text)
    except (ImportError, ValueError) as error:
        raise NoLibraryForURL(text, str(error)) from error


def _shown(path: Any) -> Any:
    return path if isinstance(path, Path) else str(path)
