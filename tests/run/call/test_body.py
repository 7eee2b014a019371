"""How an op's function is called, and how its outputs come."""

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from opgraph.declare.metadata import MetadataValue
from opgraph.declare.ops.inputs import In, Nothing
from opgraph.declare.ops.materialization import AssetMaterialization, MaterializeResult
from opgraph.declare.ops.op import op
from opgraph.declare.ops.outputs import Out, Output
from opgraph.errors import InvariantViolationError, StepOutputNotFoundError
from opgraph.keys import AssetKey
from opgraph.run import mistakes
from opgraph.run.call.body import Came, OpCall, drained
from opgraph.run.call.context import OpExecutionContext, RunSide
from opgraph.run.call.loop import EventLoop

AB = {"a": Out(), "b": Out()}


@pytest.fixture
def loop():
    loop = EventLoop()
    yield loop
    loop.close()


@contextmanager
def looping():
    loop = EventLoop()
    try:
        yield loop
    finally:
        loop.close()


def outputs(definition, ins=None, *, context=None, selected=None, **said):
    with looping() as loop:
        if context is True:
            context = OpExecutionContext(definition, RunSide(), selected=selected)
        return list(OpCall(definition, **said).outputs(ins or {}, context, selected, loop))


def came(definition, ins=None, **how):
    return [(each.output, each.value) for each in drained(outputs(definition, ins, **how))]


# -- every kind of function --


@op
def plain(x, y=2):
    return x + y


@op
async def waits(x, y=2):
    await asyncio.sleep(0)
    return x + y


@op
def yields(x, y=2):
    yield Output(x + y)


@op
async def waits_and_yields(x, y=2):
    await asyncio.sleep(0)
    yield Output(x + y)


@op
def positional_only(x, /, y=2):
    return x + y


@op
def keyword_only(x, *, y=2):
    return x + y


@op
def in_disguise(x, y=2):
    return yields.body.fn(x, y)


@op
def async_in_disguise(x, y=2):
    return waits.body.fn(x, y)


@pytest.mark.parametrize(
    "definition",
    [plain, waits, yields, waits_and_yields, positional_only, keyword_only, in_disguise, async_in_disguise],
    ids=lambda each: each.name,
)
def test_every_kind(definition):
    """Sync, async, generator and async generator functions give the same outputs; defaults hold."""
    assert came(definition, {"x": 1}) == [("result", 3)]
    assert came(definition, {"x": 1, "y": 10}) == [("result", 11)]


def test_context_is_given_where_it_is_taken():
    """A first parameter called `context` gets the context, by position, in every kind of function."""

    @op
    def taking(context, x):
        return (context.op_def.name, x)

    @op
    def yielding(context, /, x):
        yield Output((context.op_def.name, x))

    assert came(taking, {"x": 1}, context=True) == [("result", ("taking", 1))]
    assert came(yielding, {"x": 1}, context=True) == [("result", ("yielding", 1))]


def test_var_keywords():
    """`**kwargs` gets the declared inputs as keywords."""

    @op(ins={"a": In(), "b": In()})
    def collecting(**kwargs):
        return kwargs

    assert came(collecting, {"a": 1, "b": 2}) == [("result", {"a": 1, "b": 2})]


@pytest.mark.parametrize("value", [None, 0, (1, 2), {"a": 1}, [1], "x", [Output(1)]])
def test_any_value_of_one_output(value):
    """With one output, whatever is returned is its value: None, tuples and dicts too."""

    @op
    def gives():
        return value

    assert came(gives) == [("result", value)]


@pytest.mark.parametrize(
    "value", [(1, 2), {"a": 1, "b": 2}, {"b": 2, "a": 1}, (Output(1, "a"), Output(2, "b")), (1, Output(2))]
)
def test_several_outputs_returned(value):
    """Several outputs are returned as a tuple in their order, or as a dict; values may be wrapped."""

    @op(out=AB)
    def gives():
        return value

    assert dict(came(gives)) == {"a": 1, "b": 2}


def test_what_an_output_says():
    """Metadata, tags and data version of an Output or MaterializeResult come with the value."""

    @op(out=AB)
    def gives():
        yield Output(1, "a", metadata={"m": 1}, data_version="v", tags={"t": "x"})
        yield MaterializeResult(metadata={"n": 2})

    first, second = outputs(gives, assets={AssetKey("b"): "b"})
    assert first == Came("a", 1, {"m": MetadataValue.int(1)}, "v", {"t": "x"})
    assert second == Came("b", None, {"n": 2}, has_value=False)


def test_outputs_in_one_tuple_need_no_order_of_yielding():
    """A generator may leave optional outputs out, and yields in any order."""

    @op(out={"a": Out(is_required=False), "b": Out(), "c": Out(is_required=False)})
    def gives():
        yield Output(3, "c")
        yield Output(2, "b")

    assert came(gives) == [("c", 3), ("b", 2)]


def test_a_generator_waits_between_its_outputs(loop):
    """A generator goes on only when the next output is asked for, and is closed when it is given up."""
    log = []

    def definition(is_async):
        if is_async:

            @op(out=AB)
            async def gives():
                try:
                    log.append("a")
                    yield Output(1, "a")
                    log.append("b")
                    yield Output(2, "b")
                finally:
                    log.append("closed")
        else:

            @op(out=AB)
            def gives():
                try:
                    log.append("a")
                    yield Output(1, "a")
                    log.append("b")
                    yield Output(2, "b")
                finally:
                    log.append("closed")

        return gives

    for is_async in (False, True):
        log.clear()
        items = iter(OpCall(definition(is_async)).outputs({}, None, None, loop))
        assert next(items).output == "a"
        assert log == ["a"]
        items.close()
        del items
        assert log == ["a", "closed"]


# -- Nothing --


@pytest.mark.parametrize(
    "body", [lambda: None, lambda: Output(None), lambda: (i for i in ())], ids=["none", "output", "yields"]
)
def test_nothing_has_no_value(body):
    """An output without a value comes without one, also when a generator does not yield it."""

    @op(out=Out(Nothing))
    def gives():
        return body()

    assert outputs(gives) == [Came("result", None, has_value=False)]


def test_annotated_none():
    """`-> None` stores nothing, and a bare None for several outputs is fine when all are Nothing."""

    @op
    def one() -> None:
        return None

    @op(out={"a": Out(Nothing), "b": Out(Nothing)})
    def two():
        return None

    assert outputs(one) == [Came("result", None, has_value=False)]
    assert [each.output for each in outputs(two)] == ["a", "b"]


# -- selection --


def test_only_selected_outputs_are_required():
    """A required output that nothing selected needs may be missing; one that comes all the same is marked."""

    @op(out=AB)
    def only_b():
        yield Output(2, "b")

    @op(out=AB)
    def both():
        return 1, 2

    assert [each.asked for each in outputs(only_b, selected={"b"})] == [True]
    assert [each.asked for each in outputs(only_b, selected=set())] == [False]
    assert [(each.output, each.asked) for each in outputs(both, selected={"b"})] == [("a", False), ("b", True)]
    assert [each.asked for each in outputs(plain, {"x": 1}, selected=set())] == [False]
    with pytest.raises(StepOutputNotFoundError):
        outputs(only_b, selected={"a"})


# -- every rule, with a class of its own --


def returning(value, **how):
    @op(**how)
    def broken():
        return value

    return broken


def yielding(*values, **how):
    @op(**how)
    def broken():
        yield from values

    return broken


def annotated(annotation, value, **how):
    def broken():
        return value

    broken.__annotations__["return"] = annotation
    return op(**how)(broken)


RULES = [
    (returning(None, out=AB), mistakes.NoneForSeveral, "only one output was returned: None"),
    (returning(5, out=AB), mistakes.OneForSeveral, "only one output was returned, of type int"),
    (returning([1, 2], out=AB), mistakes.OneForSeveral, "of type list"),
    (returning(Output(1, "a"), out=AB), mistakes.OneForSeveral, "of type Output"),
    (returning((1,), out=AB), mistakes.WrongLength, "a tuple of 1 values and has 2 outputs"),
    (returning((1, 2, 3), out=AB), mistakes.WrongLength, "a tuple of 3 values"),
    (returning((Output(1, "b"), 2), out=AB), mistakes.WrongPosition, "`b` at position 0, where `a` belongs"),
    (returning((Output(1, "z"), 2), out=AB), mistakes.UnknownOutput, "no output `z`; it has `a`, `b`"),
    (returning({"a": 1, "c": 2}, out=AB), mistakes.UnknownOutput, "no output `c`"),
    (returning(Output(1, "resutl")), mistakes.UnknownOutput, "did you mean `result`"),
    (yielding(Output(1, "wrong")), mistakes.UnknownOutput, "no output `wrong`"),
    (yielding(1), mistakes.BareYield, "yielded a value of type <class 'int'>"),
    (yielding(None), mistakes.BareYield, "yielded a value of type <class 'NoneType'>"),
    (yielding(Output(1), Output(2)), mistakes.OutputTwice, "`result` a second time"),
    (returning(1, out={}), mistakes.NoOutputs, "no outputs and returned a value of type int"),
    (returning(1, out=Out(Nothing)), mistakes.ValueForNothing, "of type int came"),
    (annotated(Output[int], 1), mistakes.WrongKind, "`Output` for the output `result`"),
    (annotated("Output[int]", 1), mistakes.WrongKind, "annotated to return `Output`"),
    (annotated(tuple[int, Output[int]], (1, 2), out=AB), mistakes.WrongKind, "the output `b`"),
    (annotated(MaterializeResult, 1), mistakes.WrongKind, "`MaterializeResult`"),
    (returning(AssetMaterialization("x")), mistakes.ReportReturned, "returned an `AssetMaterialization`"),
    (returning(MaterializeResult()), mistakes.ResultWithoutAsset, "none of its outputs is an asset"),
]


@pytest.mark.parametrize(
    ("definition", "kind", "text"), RULES, ids=[f"{kind.__name__}-{i}" for i, (_, kind, _) in enumerate(RULES)]
)
def test_rules_of_outputs(definition, kind, text):
    """Each rule that an op can break has its own class, says the op, what came and where the op is, and a fix."""
    with pytest.raises(kind) as caught:
        outputs(definition)
    message = str(caught.value)
    assert isinstance(caught.value, InvariantViolationError)
    assert text in message
    assert "`broken`" in message
    assert f"at {__file__}:" in message
    assert "fix: " in message


def test_missing_required_output():
    """A required output that does not come is a StepOutputNotFoundError in a run, which says what did come."""

    @op(out={**AB, "c": Out(is_required=False)})
    def gives():
        yield Output(3, "c")
        yield Output(1, "a")

    with pytest.raises(StepOutputNotFoundError, match="without its required output `b`; what came: `a`, `c`"):
        outputs(gives)
    with pytest.raises(InvariantViolationError, match="without its required output `b`"):
        outputs(gives, direct=True)


# -- assets --

KEYS = {AssetKey("x/a"): "a", AssetKey("b"): "b"}


def test_results_by_asset_key():
    """A MaterializeResult goes to the output that is its asset; a materialization that is yielded passes through."""
    report = AssetMaterialization("other")

    @op(out=AB)
    def gives():
        yield MaterializeResult("b", value=2)
        yield report
        yield MaterializeResult(["x", "a"])

    items = outputs(gives, assets=KEYS)
    assert [items[0], items[2]] == [Came("b", 2), Came("a", None, has_value=False)]
    assert items[1] is report


def test_which_asset():
    """Of several assets, a MaterializeResult without a key, or with another key, is an error that lists them."""
    for result, text in [(MaterializeResult(), "does not say"), (MaterializeResult("c"), "Asset key c not found")]:
        with pytest.raises(mistakes.WhichAsset, match="makes `b`, `x/a`") as caught:
            outputs(yielding(result, out=AB), assets=KEYS)
        assert text in str(caught.value)


def test_order_of_dependent_outputs():
    """An asset that comes before one it depends on is an error, however the outputs come."""
    after = {"a": {"b"}}
    with pytest.raises(mistakes.WrongOrder, match="`a` before `b`"):
        outputs(yielding(Output(1, "a"), Output(2, "b"), out=AB), after=after)
    with pytest.raises(mistakes.WrongOrder):
        outputs(returning((1, 2), out=AB), after=after)
    assert len(outputs(yielding(Output(2, "b"), Output(1, "a"), out=AB), after=after)) == 2


# -- metadata through the context --


def test_metadata_from_the_context():
    """Metadata that was added to the context comes with the output; the output's own facts stay."""

    @op
    def returns(context):
        context.add_output_metadata({"added": 1})
        return 5

    @op(out=AB)
    def generates(context):
        context.add_output_metadata({"added": 1}, output_name="b")
        yield Output(1, "a")
        yield Output(2, "b", metadata={"own": 2})

    assert outputs(returns, context=True) == [Came("result", 5, {"added": 1})]
    assert [dict(each.metadata) for each in outputs(generates, context=True)] == [
        {},
        {"own": MetadataValue.int(2), "added": 1},
    ]


def test_metadata_too_late():
    """Metadata added after the output was yielded is an error."""

    @op
    def generates(context):
        yield Output(1)
        context.add_output_metadata({"late": 1})

    with pytest.raises(mistakes.MetadataTooLate, match="after it was yielded"):
        outputs(generates, context=True)


# -- async --


def test_one_loop_for_all(loop):
    """Async ops of a run share one event loop, and see the caller's context variables."""
    loops, variable = [], ContextVar("variable")
    variable.set("seen")

    @op
    async def first():
        loops.append(asyncio.get_running_loop())
        return variable.get()

    call = OpCall(first)
    assert [next(iter(call.outputs({}, None, None, loop))).value for _ in range(2)] == ["seen", "seen"]
    assert loops[0] is loops[1]


def test_inside_a_running_loop():
    """Where the caller is inside an event loop, as in a notebook, async ops run all the same, with its variables."""
    variable = ContextVar("variable")

    @op
    async def waits():
        await asyncio.sleep(0)
        return variable.get()

    @op
    async def generates():
        await asyncio.sleep(0)
        yield Output(variable.get())

    async def notebook():
        variable.set("seen")
        return came(waits) + came(generates)

    assert asyncio.run(notebook()) == [("result", "seen")] * 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_loop_inside_a_running_loop(kind):
    """An op there that raises what would end an event loop has raised it: nobody waits for the loop that it ended."""

    @op
    async def leaves():
        raise kind("by hand")

    async def notebook():
        with pytest.raises(kind, match="by hand"):
            came(leaves)
        return True

    assert asyncio.run(notebook())


def test_user_errors_come_as_they_are(loop):
    """What the function raises is not wrapped, whatever its kind."""

    @op
    async def fails():
        raise KeyError("mine")

    @op
    async def fails_late():
        yield Output(1)
        raise KeyError("mine")

    for definition in (fails, fails_late):
        with pytest.raises(KeyError, match="mine"):
            list(OpCall(definition).outputs({}, None, None, loop))
