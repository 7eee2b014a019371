"""What type checkers see of the decorators: an op, graph or asset keeps the signature of its function.

Inside a graph's body a call gives the op's value: what `-> T`, `-> Output[T]`, `-> Iterator[Output[T]]` and coroutines
of these say is `T`, and the context is left out. Parameters are not checked where the function alone does not say what
a caller must give: its first parameter has no annotation, config or a resource is among the first three, or `ins` adds
inputs.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    Protocol,
    TypeAlias,
    TypedDict,
    Unpack,
    cast,
    final,
    overload,
)

from opgraph.declare.ops.inputs import In
from opgraph.declare.ops.outputs import Out, Output

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeVar  # with defaults: `OpDefinition` alone means any

    from opgraph.declare.assets.assets_definition import AssetsDefinition
    from opgraph.declare.graphs.graph_definition import GraphDefinition
    from opgraph.declare.ops.dynamic import DynamicOut, DynamicOutput
    from opgraph.declare.ops.op import OpDefinition
    from opgraph.declare.retry import RetryPolicy
    from opgraph.declare.settings.config import Config

    P = ParamSpec("P", default=...)  # the parameters, without the context
    T = TypeVar("T", default=Any)
    R_co = TypeVar("R_co", covariant=True, default=Any)  # what a call gives
    Direct_co = TypeVar("Direct_co", covariant=True, default=Any)  # what a direct call gives, with a context
    Many = TypeVar("Many", bound=tuple[Any, ...], default=Any)
    A = TypeVar("A")
    B = TypeVar("B")
    T_co = TypeVar("T_co", covariant=True, default=Any)
    Context_ = TypeVar("Context_", bound="Context")
    Injected = TypeVar("Injected", bound="Config")
else:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")
    R_co = TypeVar("R_co", covariant=True)


class Context:
    """What a first parameter is annotated with where it is no input: the contexts of ops and assets are such."""

    __slots__ = ()


class OfOp(TypedDict, total=False):
    """What `op` can be told beside inputs and outputs."""

    name: str | None
    description: str | None
    config_schema: Any
    required_resource_keys: AbstractSet[str] | None
    tags: Mapping[str, Any] | None
    version: str | None
    retry_policy: "RetryPolicy | None"
    code_version: str | None
    pool: str | None
    memoize: bool | None


if TYPE_CHECKING:

    @final
    class Unsaid:
        """No user's annotation accepts this one, so a parameter that does has none, or `Any`."""

    Wrapped: TypeAlias = Iterator[Output[T]] | AsyncIterator[Output[T]] | Coroutine[Any, Any, Output[T]] | Output[T]
    Dynamic: TypeAlias = Iterator[DynamicOutput[T]] | AsyncIterator[DynamicOutput[T]] | Sequence[DynamicOutput[T]]
    Loose: TypeAlias = OpDefinition[..., Any]

    class OpWithContext(OpDefinition[P, R_co], Generic[P, R_co, Direct_co]):
        """An op whose function takes a context: left out in a graph's body, given in a direct call."""

        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
        @overload
        def __call__(self, context: Context, /, *args: P.args, **kwargs: P.kwargs) -> Direct_co: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """See the overloads."""

    class Fan(Generic[T_co]):
        """What stands for the values of a fan-out in a graph's body."""

        @overload
        def map(self, fn: "Callable[[T_co], Fan[Any] | tuple[Any, ...] | None]") -> Any: ...
        @overload
        def map(self, fn: Callable[[T_co], A]) -> "Fan[A]": ...
        def map(self, fn: Any) -> Any:
            """See the overloads: a fan-out in a fan-out, and several outputs, are not typed."""

        @overload
        def collect(self, *, as_dict: Literal[False] = False, allow_failed: bool = False) -> list[T_co]: ...
        @overload
        def collect(self, *, as_dict: Literal[True], allow_failed: bool = False) -> dict[str, T_co]: ...
        def collect(self, *, as_dict: bool = False, allow_failed: bool = False) -> Any:
            """See the overloads."""

    class GraphAsset(AssetsDefinition[P, R_co]):
        """An asset of a graph: a direct call gives it a context where its ops take one."""

        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
        @overload
        def __call__(self, context: Context, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """See the overloads."""


class OpDecorator(Protocol):
    """`op`, and `op(...)`. Make an op of a function; see `opgraph.declare.ops.op`."""

    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Unsaid, ...], Any]", /) -> "Loose": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Injected, ...], Wrapped[T]]", /) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[Injected, ...], Coroutine[Any, Any, T]]", /
    ) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Injected, ...], T]", /) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[A, Injected, ...], Wrapped[T]]", /
    ) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[A, Injected, ...], Coroutine[Any, Any, T]]", /
    ) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[A, Injected, ...], T]", /) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[A, B, Injected, ...], Wrapped[T]]", /
    ) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[A, B, Injected, ...], Coroutine[Any, Any, T]]", /
    ) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[A, B, Injected, ...], T]", /) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[Context_, P], Wrapped[T]]", /
    ) -> "OpWithContext[P, T, Any]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[Context_, P], Coroutine[Any, Any, T]]", /
    ) -> "OpWithContext[P, T, Coroutine[Any, Any, T]]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Context_, P], T]", /) -> "OpWithContext[P, T, T]": ...
    @overload
    def __call__(self, compute_fn: "Callable[P, Wrapped[T]]", /) -> "OpDefinition[P, T]": ...
    @overload
    def __call__(self, compute_fn: "Callable[P, Coroutine[Any, Any, T]]", /) -> "OpDefinition[P, T]": ...
    @overload
    def __call__(self, compute_fn: "Callable[P, T]", /) -> "OpDefinition[P, T]": ...
    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] - a DynamicOut is an Out that is more
        self, *, ins: None = None, out: "DynamicOut", **said: Unpack[OfOp]
    ) -> "DynamicDecorator": ...
    @overload
    def __call__(self, *, ins: None = None, out: Out | None = None, **said: Unpack[OfOp]) -> "OpDecorator": ...
    @overload
    def __call__(
        self, *, ins: Mapping[str, In] | None, out: Out | None = None, **said: Unpack[OfOp]
    ) -> "LooseOpDecorator": ...
    @overload
    def __call__(self, *, ins: None = None, out: Mapping[str, Out], **said: Unpack[OfOp]) -> "ManyDecorator": ...
    @overload
    def __call__(
        self, *, ins: Mapping[str, In] | None, out: Mapping[str, Out] | Out | None, **said: Unpack[OfOp]
    ) -> "Callable[[Callable[..., Any]], Loose]": ...


class LooseOpDecorator(Protocol):
    """`op(ins=...)`: the inputs are not the parameters alone, and so are not checked."""

    @overload
    def __call__(self, compute_fn: "Callable[..., Wrapped[T]]", /) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(self, compute_fn: "Callable[..., Coroutine[Any, Any, T]]", /) -> "OpDefinition[..., T]": ...
    @overload
    def __call__(self, compute_fn: "Callable[..., T]", /) -> "OpDefinition[..., T]": ...


class DynamicDecorator(Protocol):
    """`op(out=DynamicOut())`: a call in a graph's body gives what can be mapped and collected."""

    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Unsaid, ...], Any]", /) -> "OpDefinition[..., Fan[Any]]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[Injected, ...], Dynamic[T]]", /
    ) -> "OpDefinition[..., Fan[T]]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[A, Injected, ...], Dynamic[T]]", /
    ) -> "OpDefinition[..., Fan[T]]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[A, B, Injected, ...], Dynamic[T]]", /
    ) -> "OpDefinition[..., Fan[T]]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[Context_, P], Dynamic[T]]", /
    ) -> "OpWithContext[P, Fan[T], Any]": ...
    @overload
    def __call__(self, compute_fn: "Callable[P, Dynamic[T]]", /) -> "OpDefinition[P, Fan[T]]": ...
    @overload
    def __call__(self, compute_fn: "Callable[P, Any]", /) -> "OpDefinition[P, Fan[Any]]": ...


class ManyDecorator(Protocol):
    """`op(out={...})`: several outputs are typed where the function returns a tuple of them."""

    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Unsaid, ...], Any]", /) -> "Loose": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Injected, ...], Many]", /) -> "OpDefinition[..., Many]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Injected, ...], Any]", /) -> "OpDefinition[..., Any]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[A, Injected, ...], Many]", /) -> "OpDefinition[..., Many]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[A, Injected, ...], Any]", /) -> "OpDefinition[..., Any]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[A, B, Injected, ...], Many]", /
    ) -> "OpDefinition[..., Many]": ...
    @overload
    def __call__(
        self, compute_fn: "Callable[Concatenate[A, B, Injected, ...], Any]", /
    ) -> "OpDefinition[..., Any]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Context_, P], Many]", /) -> "OpWithContext[P, Many, Many]": ...
    @overload
    def __call__(self, compute_fn: "Callable[Concatenate[Context_, P], Any]", /) -> "OpWithContext[P, Any, Any]": ...
    @overload
    def __call__(self, compute_fn: "Callable[P, Many]", /) -> "OpDefinition[P, Many]": ...
    @overload
    def __call__(self, compute_fn: "Callable[P, Any]", /) -> "OpDefinition[P, Any]": ...


class GraphDecorator(Protocol):
    """`graph(...)`. A graph that returns a mapping has outputs that are attributes: they are not typed."""

    @overload
    def __call__(self, compose_fn: "Callable[P, Mapping[str, Any]]", /) -> "GraphDefinition[P, Any]": ...
    @overload
    def __call__(self, compose_fn: "Callable[P, T]", /) -> "GraphDefinition[P, T]": ...


class AssetDecorator(Protocol):
    """`asset(...)` and `multi_asset(...)`: a direct call is that of the function."""

    def __call__(self, compute_fn: "Callable[P, T]", /) -> "AssetsDefinition[P, T]":
        """The assets."""
        ...


class GraphAssetDecorator(Protocol):
    """`graph_asset(...)` and `graph_multi_asset(...)`."""

    @overload
    def __call__(self, compose_fn: "Callable[P, Mapping[str, Any]]", /) -> "GraphAsset[P, Any]": ...
    @overload
    def __call__(self, compose_fn: "Callable[P, T]", /) -> "GraphAsset[P, T]": ...


def op_decorator(fn: Callable[..., Any]) -> OpDecorator:
    """The function itself, as type checkers see it."""
    return cast("OpDecorator", fn)
