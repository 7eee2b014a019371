"""Code without annotations, or with a few, under the settings that pyright and mypy have by default: no errors."""

from opgraph import AssetOut, Out, Output, asset, graph, graph_asset, graph_multi_asset, materialize, op


@op
def one():
    return 1


@op
def add(a, b=1):
    return a + b


@op
def first(rows: list) -> int:
    return rows[0]


@op
def logged(context, rows: list[int]) -> list[int]:
    context.log.info("rows")
    return rows


@op(out={"low": Out(), "high": Out()})
def split(rows):
    yield Output(rows, "low")
    yield Output(rows, "high")


@graph
def inner(rows):
    parts = split(logged(rows))
    return add(first(parts.low), b=first(parts.high))


@graph
def both(rows):
    return {"a": add(rows), "b": one()}


@graph_asset
def total(flights):
    sums = both(flights)
    return add(inner(flights), add.alias("more")(sums.a, sums.b))


@graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()})
def parts(flights):
    low, high = split(flights)
    return {"low": low, "high": high}


@asset
def flights(context):
    return [1]


logged(None, [1])
flights(None)
total([1])
materialize([flights, total, parts])
