"""Mistakes that type checkers find: the comments before a line say what a user reads of it."""

from __future__ import annotations

from collections.abc import Iterator

from opgraph import (
    AssetSelection,
    DynamicOut,
    DynamicOutput,
    MaterializeResult,
    OpExecutionContext,
    Out,
    Output,
    asset,
    graph_asset,
    op,
)


@op
def one() -> int:
    return 1


@op
def counted(context: OpExecutionContext, rows: list[int]) -> int:
    return len(rows)


@op
def yielded(n: int) -> Iterator[Output[str]]:
    yield Output(str(n))


@op(out=DynamicOut())
def each(rows: list[int]) -> Iterator[DynamicOutput[str]]:
    yield DynamicOutput("", mapping_key="one")


@op(out={"low": Out(), "high": Out()})
def split(rows: list[int]) -> tuple[list[int], str]:
    return rows, ""


@asset
def flights(limit: int) -> list[int]:
    return [limit]


@graph_asset
def wrong_argument(rows: list[int]) -> int:
    # pyright says: "int" is not assignable to "list[int]"
    # mypy says: No overload variant of "__call__" of "OpWithContext" matches argument type "int"
    return counted(one())


@graph_asset
def missing_argument() -> str:
    # pyright says: Argument missing for parameter "n"
    # mypy says: Missing positional argument "n"
    return yielded()


@graph_asset
def unknown_argument(rows: list[int]) -> str:
    # pyright says: No parameter named "m"
    # mypy says: Unexpected keyword argument "m"
    return yielded(m=3)


@graph_asset
def wrong_result(rows: list[int]) -> int:
    # pyright says: "str" is not assignable to "int"
    # mypy says: Incompatible return value type (got "str", expected "int")
    return yielded(counted(rows))


@graph_asset
def wrong_map(rows: list[int]) -> list[str]:
    # pyright says: No overloads for "map" match
    # pyright says: Parameter 1: type "str" is incompatible with type "int"
    # mypy says: Argument 1 to "map" of "Fan" has incompatible type
    return each(rows).map(yielded).collect()


@graph_asset
def wrong_collect(rows: list[int]) -> int:
    # pyright says: "list[str]" is not assignable to "list[int]"
    # mypy says: Argument 1 to "__call__" of "OpWithContext" has incompatible type "list[str]"
    return counted(each(rows).collect())


@graph_asset
def wrong_alias(rows: list[int]) -> str:
    # pyright says: "Literal['three']" is not assignable to "int"
    # mypy says: Argument 1 to "__call__" of "Invocation" has incompatible type "str"; expected "int"
    return yielded.alias("again")("three")


@graph_asset
def wrong_output(rows: list[int]) -> int:
    _low, high = split(rows)
    # pyright says: "str" is not assignable to "list[int]"
    # mypy says: No overload variant of "__call__" of "OpWithContext" matches argument type "str"
    return counted(high)


@graph_asset
def too_many_outputs(rows: list[int]) -> str:
    # pyright says: Tuple size mismatch; expected 3 but received 2
    # mypy says: Need more than 2 values to unpack (3 expected)
    low, middle, high = split(rows)
    return yielded(counted(low))


# pyright says: "Literal['ten']" is not assignable to "int"
# mypy says: Argument 1 to "__call__" of "AssetsDefinition" has incompatible type "str"; expected "int"
flights("ten")
# pyright says: Operator "+" not supported for types "list[int]" and "Literal['x']"
# mypy says: No overload variant of "__add__" of "list" matches argument type "str"
flights(1) + "x"
# pyright says: Operator "|" not supported for types "AssetSelection" and "Literal[3]"
# mypy says: Unsupported operand types for | ("AssetSelection" and "int")
AssetSelection.all() | 3
# pyright says: No parameter named "meta"
# mypy says: Unexpected keyword argument "meta" for "MaterializeResult"
MaterializeResult(meta={})


# pyright says: No overloads for "__call__" match the provided arguments
# mypy says: Unexpected keyword argument "nmae" for overloaded function "__call__" of "OpDecorator"
@op(nmae="x")
def misnamed() -> int:
    return 1


# pyright says: No overloads for "asset" match the provided arguments
# mypy says: Unexpected keyword argument "group" for overloaded function "asset"
@asset(group="x")
def misgrouped() -> int:
    return 1


@op
def returns_other() -> Output[int]:
    # pyright says: Type "Output[str]" is not assignable to return type "Output[int]"
    # mypy says: Argument 1 to "Output" has incompatible type "str"; expected "int"
    return Output("one")


@asset
def stores_other() -> MaterializeResult[int]:
    # pyright says: Type "MaterializeResult[str]" is not assignable to return type "MaterializeResult[int]"
    # mypy says: Argument "value" to "MaterializeResult" has incompatible type "str"; expected "int"
    return MaterializeResult(value="one")


@op
def misspelt(context: OpExecutionContext) -> None:
    # pyright says: Cannot access attribute "logg" for class "OpExecutionContext"
    # mypy says: "OpExecutionContext" has no attribute "logg"
    context.logg.info("")
    # pyright says: "Literal[3]" is not assignable to "str"
    # mypy says: incompatible type "int"; expected "str"
    context.has_tag(3)
