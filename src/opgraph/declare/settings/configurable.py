"""Resources as classes: pydantic models whose fields are their configuration, made ready once a run."""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Self, cast

from pydantic import ConfigDict, ValidationInfo, field_validator

from opgraph.declare import ports
from opgraph.declare.settings.config import Config
from opgraph.declare.settings.env import has_reference
from opgraph.declare.settings.recipe import InitResourceContext, is_recipe
from opgraph.declare.settings.resource import ResourceDefinition
from opgraph.declare.settings.secrets import MASK

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # with defaults: `ConfigurableResource` alone means any

    T = TypeVar("T", default=Any)

    class ResourceDependency(Generic[T]):
        """See below."""

        def __get__(self, instance: object, owner: type) -> T: ...

        def __set__(self, instance: object, value: "T | ConfigurableResource[Any] | ResourceDefinition") -> None: ...

else:
    from typing import TypeVar

    T = TypeVar("T")

    class ResourceDependency:
        """The type of a resource's field that is another resource of any class: `store: ResourceDependency[Store]`.

        It is given the object itself, or what the object is made of: a ConfigurableResource or a function with
        `@resource`.
        """

        def __class_getitem__(cls, annotation: Any) -> Any:
            return Annotated[Any, cls]


class AtLaunch:
    """A resource whose configuration comes with the run, at least in part. Made by `configure_at_launch`."""

    __slots__ = ("cls", "given")

    def __init__(self, cls: type[Any], given: Mapping[str, Any]) -> None:
        self.cls, self.given = cls, dict(given)

    @property
    def versioned(self) -> bool:
        """For an I/O manager: whether it keeps old values."""
        return getattr(self.cls, "versioned", False)

    def opgraph_requires(self) -> frozenset[str]:
        """See `Recipe`."""
        return frozenset()

    def opgraph_lasts(self) -> bool:
        """See `Recipe`."""
        return _lasts(self.cls) or any(is_recipe(each) and each.opgraph_lasts() for each in self.given.values())

    def opgraph_fields(self) -> tuple[type[Any], Mapping[str, Any]]:
        """The class, and the fields that are known."""
        return self.cls, self.given

    def opgraph_open(self, context: InitResourceContext) -> AbstractContextManager[Any]:  # noqa: ARG002 - the signature is the protocol's
        """See `Recipe`."""
        raise AssertionError  # what is opened is the object that is made of the fields

    def __repr__(self) -> str:
        return f"{self.cls.__name__}.configure_at_launch({', '.join(self.given)})"


class ConfigurableResource(Config, Generic[T]):
    """A resource as a class: subclass it, with a field for each setting and methods for what it does.

    A field may be given an `EnvVar`, which is read when a run begins, or another resource. An op or asset takes the
    resource by a parameter that is annotated with the class. Each run works on a copy, made ready by
    `setup_for_execution` before its first step and put away by `teardown_after_execution` after its last, also when the
    run failed. Where something else than the object is to be handed out, `create_resource` makes it.

    Raises:
        pydantic.ValidationError: by making one, a value that does not fit its field.

    Example:
        >>> class Warehouse(ConfigurableResource):
        ...     url: str
        ...
        ...     def rows(self, table: str) -> list[str]:
        ...         return [f"{self.url}/{table}/{i}" for i in range(2)]
        >>> @asset
        ... def flights(warehouse: Warehouse) -> list[str]:
        ...     return warehouse.rows("flights")
        >>> materialize([flights], resources={"warehouse": Warehouse(url="db")}).output_for_node("flights")
        ['db/flights/0', 'db/flights/1']
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, ignored_types=(property,))

    opgraph_is_resource: ClassVar[bool] = True
    _hidden: frozenset[str] = frozenset()  # fields that come from environment variables: not shown

    def __class_getitem__(cls, _: Any) -> Any:
        return cls

    @field_validator("*", mode="wrap")
    @classmethod
    def _keep_references(cls, value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
        """What is known only when a run begins is checked then. A member of an enum may be given by its name."""
        if has_reference(value) or isinstance(value, (AtLaunch, ResourceDefinition)):
            return value
        kind = cls.model_fields[info.field_name].annotation if info.field_name in cls.model_fields else None
        if isinstance(kind, type) and issubclass(kind, Enum) and isinstance(value, str) and value in kind.__members__:
            value = kind[value]
        return handler(value)

    def __repr_args__(self) -> Any:
        """The fields, without what environment variables hold."""
        for name, value in super().__repr_args__():
            yield name, MASK if name in self._hidden else value

    # -- what subclasses may define ---------------------------------------------------

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Get ready for a run: open a connection, read a token. Its error is the run's failure."""

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """Put away what `setup_for_execution` got. Its error is logged, and the run is what its steps made it."""

    def create_resource(self, context: InitResourceContext) -> T:
        """What ops are given: by default this object."""
        del context
        return cast("T", self)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Generator[T]:
        """Both in one: get ready, yield what ops are given, put it away."""
        self.setup_for_execution(context)
        try:
            yield self.create_resource(context)
        finally:
            self.teardown_after_execution(context)

    # -- using it ---------------------------------------------------------------------

    @classmethod
    def configure_at_launch(cls, **fields: Any) -> Self:
        """This resource with settings that come with the run: `run_config["resources"][key]["config"]`.

        Args:
            fields: the settings that are known now.

        Example:
            >>> defs = Definitions(assets=[flights], resources={"warehouse": Warehouse.configure_at_launch()})
        """
        return cast("Self", AtLaunch(cls, fields))

    def get_resource(self, context: InitResourceContext | None = None) -> T:
        """What ops would be given, for tests and notebooks; see `process_config_and_initialize`."""
        del context
        return self.process_config_and_initialize()

    def process_config_and_initialize(self) -> T:
        """Read environment variables, get ready and return what ops would be given. Nothing is put away.

        Raises:
            InvalidConfigError: a variable is not set, or does not fit.
        """
        return ports.runner().open_resource(self, keep=True)

    @classmethod
    def from_resource_context(cls, context: InitResourceContext) -> T:
        """What ops would be given of this class, for a function with `@resource`: its fields are what that is
        configured with. Nothing is put away.

        Raises:
            pydantic.ValidationError: they do not fit.
        """
        made: Self = cast("Any", cls)(**(context.resource_config or {}))
        return made.process_config_and_initialize()

    def process_config_and_initialize_cm(self) -> AbstractContextManager[T]:
        """The same for a `with` statement, at whose end it is put away."""
        return ports.runner().open_resource(self, keep=False)

    # -- how a run makes it -----------------------------------------------------------

    def opgraph_requires(self) -> frozenset[str]:
        """See `Recipe`."""
        return frozenset()

    def opgraph_lasts(self) -> bool:
        """See `Recipe`."""
        fields = (getattr(self, name) for name in type(self).model_fields)
        return _lasts(type(self)) or any(is_recipe(each) and each.opgraph_lasts() for each in fields)

    def opgraph_fields(self) -> tuple[type[Any], Mapping[str, Any]]:
        """The class, and its fields as they were given."""
        fields = type(self).model_fields
        extra: dict[str, Any] = self.model_extra or {}
        return type(self), {**{name: getattr(self, name) for name in fields}, **extra}

    def opgraph_ready(self, fields: Mapping[str, Any], hidden: frozenset[str], base: Any = None) -> Self:
        """This object with some fields as they are for a run.

        Args:
            fields: the values of fields: resources instead of their recipes.
            hidden: the names of those that must not be shown.
            base: the object whose private attributes it has.
        """
        made = self.model_copy(update=dict(fields))
        private: dict[str, Any] = {**(getattr(base, "__pydantic_private__", None) or {}), "_hidden": hidden}
        made.__pydantic_private__ = {**(made.__pydantic_private__ or {}), **private}
        return made

    def opgraph_open(self, context: InitResourceContext) -> AbstractContextManager[T]:
        """See `Recipe`."""
        return self.yield_for_execution(context)


class ConfigurableIOManagerFactory(ConfigurableResource[T]):
    """Settings of which an I/O manager is made: subclass it, with a field for each setting and `create_io_manager`.

    Example:
        >>> class Lake(ConfigurableIOManagerFactory):
        ...     path: str
        ...
        ...     def create_io_manager(self, context):
        ...         return FilesystemIOManager(self.path)
    """

    def create_io_manager(self, context: InitResourceContext) -> T:
        """The I/O manager."""
        raise NotImplementedError(f"{type(self).__name__} has no create_io_manager")

    def create_resource(self, context: InitResourceContext) -> T:
        """The I/O manager."""
        return self.create_io_manager(context)


def _lasts(cls: type[Any]) -> bool:
    """Whether a class has something to put away."""
    base: Any = ConfigurableResource
    own = (cls.yield_for_execution, cls.teardown_after_execution) if hasattr(cls, "yield_for_execution") else ()
    plain = (base.yield_for_execution, base.teardown_after_execution)
    return any(mine is not theirs for mine, theirs in zip(own, plain, strict=False))
