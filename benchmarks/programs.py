"""The programs that the benchmarks run."""

from opgraph import (
    AssetIn,
    AssetOut,
    AssetsDefinition,
    Definitions,
    DynamicOut,
    DynamicOutput,
    asset,
    graph_asset,
    graph_multi_asset,
    op,
)


@op
def first() -> int:
    return 1


@op
def add_one(x: int) -> int:
    return x + 1


def op_chain(n: int) -> Definitions:
    """One graph asset of n ops, each taking the one before."""

    @graph_asset(name="chain")
    def chain():
        value = first()
        for _ in range(n - 1):
            value = add_one(value)
        return value

    return Definitions(assets=[chain])


def failing_chain(n: int, at: int) -> Definitions:
    """The same, with an op that fails in one place."""

    @op
    def broken(x: int) -> int:
        raise ValueError(x)

    @graph_asset(name="chain")
    def chain():
        value = first()
        for i in range(n - 1):
            value = (broken if i == at else add_one)(value)
        return value

    return Definitions(assets=[chain])


def asset_chain(n: int) -> Definitions:
    """n assets, each made from the one before."""
    assets: list[AssetsDefinition] = [asset(name="a0")(lambda: 1)]
    for i in range(1, n):

        @asset(name=f"a{i}", ins={"x": AssetIn(f"a{i - 1}")})
        def made(x: int) -> int:
            return x + 1

        assets.append(made)
    return Definitions(assets=assets)


def fan_out(n: int) -> Definitions:
    """One graph asset that maps an op over n values and collects what it makes."""

    @op(out=DynamicOut())
    def numbers():
        for i in range(n):
            yield DynamicOutput(i, str(i))

    @op
    def counted(values: list[int]) -> int:
        return len(values)

    @graph_asset
    def mapped():
        return counted(numbers().map(add_one).collect())

    return Definitions(assets=[mapped])


def fan(outputs: int, ops: int) -> Definitions:
    """One graph of so many ops with so many assets: chains side by side behind one op."""
    length = ops // outputs

    @graph_multi_asset(name="fan", outs={f"o{i}": AssetOut() for i in range(outputs)}, can_subset=True)
    def made():
        start = first()
        found = {}
        for i in range(outputs):
            value = start
            for _ in range(length):
                value = add_one(value)
            found[f"o{i}"] = value
        return found

    return Definitions(assets=[made])
