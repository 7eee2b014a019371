"""What definitions look like where a person prints them."""

import pytest

from opgraph import (
    AssetIn,
    AssetOut,
    AssetsDefinition,
    AssetSpec,
    Definitions,
    In,
    Out,
    asset,
    graph,
    graph_asset,
    materialize_to_memory,
    multi_asset,
    op,
)


@op
def one(n=1):
    return n


@graph
def twice(n):
    return one(one(n))


@asset
def rows():
    return 1


@graph_asset(key_prefix="raw")
def counted(rows):
    return one(twice(rows))


@multi_asset(outs={f"a{i}": AssetOut() for i in range(7)})
def many(): ...


class Uncomparable:
    """As a table is: to compare it with anything gives no bool."""

    def __eq__(self, _):
        raise TypeError

    __hash__ = None

    def __repr__(self):
        return "<a table>"


SHOWN = {
    "OpDefinition('one', ins=['n'], outs=['result'])": one,
    "GraphDefinition('twice', ins=['n'], outs=['result'], 2 ops)": twice,
    "JobDefinition('nightly', 2 ops)": twice.to_job("nightly"),
    "AssetsDefinition('rows', 1 op)": rows,
    "AssetsDefinition('raw/counted', 3 ops)": counted,
    "AssetsDefinition('a0', 'a1', 'a2', 'a3', 'a4', 2 more, 1 op)": many,
    "AssetsDefinition('there', external)": AssetsDefinition(specs=[AssetSpec("there")]),
    "Definitions(assets=9, jobs=1, resources=['db'])": Definitions(
        [rows, many, AssetSpec("there")], jobs=[twice.to_job()], resources={"db": 1}
    ),
    "AssetSpec(key='raw/a', group_name='g')": AssetSpec("raw/a", group_name="g"),
    "AssetIn(key='raw/a')": AssetIn("raw/a"),
    "AssetOut(dagster_type=list, is_required=False)": AssetOut(dagster_type=list, is_required=False),
    "AssetOut()": AssetOut(),
    "In(dagster_type=int, default_value=0)": In(int, default_value=0),
    "In(default_value=<a table>)": In(default_value=Uncomparable()),
    "Out()": Out(),
    "Out(io_manager_key='db')": Out(io_manager_key="db"),
}


@pytest.mark.parametrize("text", SHOWN)
def test_one_line(text):
    """The repr is one line: what it is, its names or keys, how much is in it, and nothing that was not said."""
    assert repr(SHOWN[text]) == text


def test_a_result():
    """A result's repr has the job, how it ended, the number of steps and the run."""
    result = materialize_to_memory([rows, counted])
    assert repr(result) == f"ExecuteInProcessResult('{result.plan.job}', SUCCESS, 4 steps, run_id='{result.run_id}')"
