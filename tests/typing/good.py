"""What users write, without an error under the strictest settings of pyright and mypy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from opgraph import (
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetOut,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    Backoff,
    Config,
    ConfigurableResource,
    Definitions,
    DynamicOut,
    DynamicOutput,
    HookContext,
    HookExecutionResult,
    In,
    Instance,
    Jitter,
    MaterializeResult,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
    Output,
    RetryPolicy,
    RetryRequested,
    asset,
    build_asset_context,
    build_hook_context,
    build_op_context,
    define_asset_job,
    failure_hook,
    graph,
    graph_asset,
    graph_multi_asset,
    job,
    materialize,
    multi_asset,
    op,
    success_hook,
)


class Warehouse(ConfigurableResource):
    url: str = "memory"

    def rows(self) -> list[int]:
        return [1]


class Limit(Config):
    most: int = 10


# -- ops -------------------------------------------------------------------------


@op
def one() -> int:
    return 1


@op
def add(a: int, b: int = 1) -> int:
    return a + b


@op(tags={"team": "data"}, code_version="2")
def cleaned(context: OpExecutionContext, rows: list[int]) -> list[int]:
    context.log.info("%d rows", len(rows))
    return rows


@op
def counted(rows: list[int]) -> Output[int]:
    return Output(len(rows), metadata={"rows": len(rows)})


@op
def yielded(rows: list[int]) -> Iterator[Output[int]]:
    yield Output(len(rows))


@op
async def fetched(context: OpExecutionContext, url: str) -> list[int]:
    return [len(url), context.retry_number]


@op
async def streamed(url: str) -> AsyncIterator[Output[str]]:
    yield Output(url)


@op(out={"low": Out(), "high": Out()})
def split(rows: list[int]) -> tuple[list[int], int]:
    return rows, 1


@op(out={"good": Out(is_required=False), "bad": Out(is_required=False)})
def sorted_out(rows: list[int]) -> Iterator[Output[list[int]] | Output[int]]:
    yield Output(rows, "good")
    yield Output(1, "bad")


@op(out=DynamicOut(int))
def each(context: OpExecutionContext, rows: list[int]) -> Iterator[DynamicOutput[int]]:
    for number, row in enumerate(rows):
        yield DynamicOutput(row, mapping_key=str(number))


@op
def span(n: int) -> list[int]:
    return [n]


@op(out=DynamicOut())
def listed(rows: list[int]) -> list[DynamicOutput[str]]:
    return [DynamicOutput("one", mapping_key="one")]


@op
def limited(context: OpExecutionContext, rows: list[int], config: Limit) -> list[int]:
    return rows[: config.most]


@op
def sized(config: Limit) -> int:
    return config.most


@op
async def waited(config: Limit, rows: list[int]) -> list[int]:
    return rows[: config.most]


@op(out={"kept": Out(), "count": Out()})
def halved(config: Limit, rows: list[int]) -> tuple[list[int], int]:
    return rows[: config.most], len(rows)


@op
def asked(warehouse: Warehouse, most: int = 3) -> list[int]:
    return warehouse.rows()[:most]


@op
def anything() -> Output:
    return Output(1)


@op(ins={"after": In(Nothing)})
def report() -> int:
    return 3


assert_type(cleaned(build_op_context(), [1]), list[int])  # a direct call, as in a test
assert_type(add(1, b=2), int)


# -- graphs ----------------------------------------------------------------------


@graph
def inner_of(n: int) -> int:
    return add(n)


@graph
def inner(rows: list[int]) -> int:
    low, high = split(cleaned(rows))
    assert_type(low, list[int])
    assert_type(high, int)
    parts = sorted_out(asked(most=2))
    return add(counted(parts.good), b=yielded(limited(low)))


@graph
def fanned(rows: list[int]) -> list[int]:
    assert_type(each(rows).map(add).collect(), list[int])
    assert_type(each(rows).map(lambda n: add(n, b=3)).collect(as_dict=True), dict[str, int])
    assert_type(listed(rows).collect(allow_failed=True), list[str])
    each(rows).map(lambda n: listed(span(n)).collect()).collect()
    return each(rows).map(inner_of).collect()


@graph
def configured(rows: list[int]) -> list[int]:
    assert_type(sized(), int)
    assert_type(limited(rows), list[int])
    kept, count = halved(waited(rows))
    assert_type(count, int)
    return kept


@graph_asset(group_name="reports")
def total(flights: list[int]) -> int:
    first = add.alias("first")(inner(flights))
    assert_type(first, int)
    return add.tag({"slow": "yes"})(add(first, anything()), report(after=first))


@graph_asset
def pages() -> list[int]:
    assert_type(streamed("a"), str)
    return fetched(streamed("b"))


@graph_multi_asset(outs={"small": AssetOut(), "large": AssetOut()}, can_subset=True)
def sizes(flights: list[int]) -> dict[str, object]:
    low, high = split(flights)
    return {"small": low, "large": high}


@job
def nightly() -> None:
    add(one(), 2)


# -- assets ----------------------------------------------------------------------


@asset(key="flights", owners=["team:data"])
def flights() -> list[int]:
    return [1]


@asset(ins={"rows": AssetIn("flights")})
def delays(context: AssetExecutionContext, rows: list[int]) -> MaterializeResult:
    context.add_output_metadata({"rows": len(rows)})
    return MaterializeResult(metadata={"rows": 3})


@asset
def stored() -> MaterializeResult[list[int]]:
    return MaterializeResult(value=[1], metadata={"rows": 1})


@multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
def both(rows: list[int]) -> tuple[int, str]:
    return 1, ""


assert_type(flights(), list[int])
assert_type(delays(build_asset_context(), [1]), MaterializeResult)
assert_type(both([1]), tuple[int, str])
assert_type(total(build_asset_context(resources={"warehouse": Warehouse(url="db")}), [1]), int)


# -- retries and hooks -------------------------------------------------------------

patient = RetryPolicy(max_retries=3, delay=0.5, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS)
assert_type(patient.calculate_delay(2), float)


@success_hook
def tell(context: HookContext) -> None:
    context.log.info("%s: %s", context.step_key, context.op_output_values)


@failure_hook(required_resource_keys={"limit"})
def warn(context: HookContext) -> HookExecutionResult:
    return HookExecutionResult("warn", is_skipped=context.op_exception is None)


@op(retry_policy=patient)
def busy(rows: list[int]) -> int:
    if not rows:
        raise RetryRequested(max_retries=2, seconds_to_wait=1)
    return len(rows)


@graph_asset(retry_policy=patient, hooks={tell, warn})
def patiently(flights: list[int]) -> int:
    once = busy.with_retry_policy(RetryPolicy()).with_hooks({tell}).alias("once")(flights)
    return assert_type(once, int)


@job(hooks={tell}, op_retry_policy=patient)
def patient_job() -> None:
    one.with_hooks({warn})()


tell(build_hook_context(op=one, run_id="1"))


# -- definitions -----------------------------------------------------------------

selection = AssetSelection.groups("reports").upstream(depth=2) & AssetSelection.all() - AssetSelection.keys("a")
defs = Definitions(
    assets=[flights, delays, stored, both, total, pages, sizes, patiently, AssetSpec("other")],
    jobs=[nightly, patient_job, define_asset_job("reports", selection=selection | AssetSelection.key_prefixes("raw"))],
    resources={"limit": 3, "warehouse": Warehouse(url="db")},
)


def made_by(name: str) -> OpDefinition:
    """Factories, with the names of the definitions' types."""

    @op(name=name)
    def renamed(rows: list[int]) -> list[int]:
        return rows

    return renamed


def keys_of(definition: AssetsDefinition) -> list[AssetKey]:
    return list(definition.keys)


with Instance.ephemeral() as instance:
    result = materialize([flights, total], instance=instance, resources=defs.resources, selection="flights")
    assert result.success
