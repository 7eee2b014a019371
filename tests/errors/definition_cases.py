# ruff: noqa: F821 - an annotation names what is not imported
"""Mistakes in what is declared."""

from functools import partial
from types import ModuleType

from cases import Cases, filed

import opgraph.testing.given as given
import opgraph.testing.replacing as replacing
from opgraph import (
    AssetIn,
    AssetKey,
    AssetOut,
    AssetsDefinition,
    AssetSpec,
    Backoff,
    Config,
    ConfigMapping,
    ConfigurableResource,
    Definitions,
    DynamicOut,
    DynamicOutput,
    GraphDefinition,
    GraphOut,
    In,
    IOManager,
    MetadataValue,
    Nothing,
    Out,
    ResourceDefinition,
    RetryPolicy,
    TableRecord,
    asset,
    build_hook_context,
    config_mapping,
    define_asset_job,
    definitions,
    graph,
    graph_asset,
    graph_multi_asset,
    job,
    load_assets_from_modules,
    load_from_defs_folder,
    map_asset_specs,
    materialize,
    multi_asset,
    op,
    resource,
    success_hook,
)
from opgraph.declare.graphs.wiring import DependencyDefinition
from opgraph.operate.project import load, locate
from opgraph.run.instance import Instance

CASES: Cases = {}
case = partial(filed, CASES)


@op
def one():
    return 1


@op
def plus(x):
    return x


@op(out={"a": Out(), "b": Out()})
def two():
    return 1, 2


@graph
def inner(given):
    return plus(given)


class AssetExecutionContext: ...


# -- names and labels ---------------------------------------------------------


@case("declare.mistakes.BadName")
def bad_name():
    @op(name="no good")
    def it(): ...


@case("keys.BadAssetKey")
def bad_key():
    @asset(key="raw//rows")
    def it(): ...


@case("keys.KeyInPieces")
def key_in_pieces():
    AssetKey("raw", "rows")


@case("keys.OneKeyForSeveral")
def one_key_for_several():
    map_asset_specs(lambda spec: spec, AssetKey("rows"))


@case("declare.mistakes.KeyTwice")
def key_and_prefix():
    AssetIn(key="a", key_prefix="b")


@case("declare.mistakes.BadGroup")
def bad_group():
    @asset(group_name="a group")
    def it(): ...


@case("declare.labels.BadPool")
def _(_tmp_path):
    @asset(pool="ware house")
    def orders():
        return 1


@case("declare.mistakes.BadOwner")
def bad_owner():
    @asset(owners=["me"])
    def it(): ...


@case("declare.mistakes.BadTag")
def bad_tag():
    @asset(tags={"a b": "c"})
    def it(): ...


@case("declare.labels.UnknownOwnTag")
def unknown_own_tag():
    @op(tags={"opgraph/timout": "30"})
    def it(): ...


@case("declare.mistakes.BadKind")
def bad_kind():
    @asset(kinds={"a b"})
    def it(): ...


@case("declare.mistakes.TooManyKinds")
def too_many_kinds():
    @asset(kinds={"a", "b", "c", "d"})
    def it(): ...


@case("declare.metadata.InvalidMetadataError")
def bad_metadata():
    @asset(metadata={"made by": object()})
    def it():
        return 1

    materialize([it])
    MetadataValue.of(object()) if hasattr(MetadataValue, "of") else None


# -- parameters ---------------------------------------------------------------


@case("declare.mistakes.WrongType")
def wrong_type():
    @graph_multi_asset(outs={"a": AssetOut()}, can_subset="yes")
    def it():
        return {"a": one()}


@case("declare.mistakes.NotAFunction")
def not_a_function():
    asset(one)


@case("declare.mistakes.PositionalRest")
def positional_rest():
    @op
    def it(*rest): ...


@case("declare.mistakes.WrongContext")
def wrong_context():
    @op
    def it(context: AssetExecutionContext): ...


@case("declare.mistakes.NoSuchParameter")
def unknown_ins():
    @op(ins={"row": In()})
    def it(rows): ...


@case("declare.mistakes.InputTwice")
def nothing_as_parameter():
    @op(ins={"rows": In(Nothing)})
    def it(rows): ...


@case("declare.mistakes.RepeatedDependency")
def repeated_dep():
    @asset(deps=["a", "a"])
    def it(): ...


@case("declare.assets.asset_mistakes.ManagerTwice")
def manager_twice():
    @asset(io_manager_def=object(), io_manager_key="x")
    def it(): ...


@case("declare.assets.asset_mistakes.NoSuchName")
def unknown_output_name():
    AssetsDefinition.from_op(one, keys_by_output_name={"reslt": "a"})


@case("declare.assets.asset_mistakes.OneKeyTwice")
def one_key_twice():
    @multi_asset(outs={"a": AssetOut(key="x"), "b": AssetOut(key="x")})
    def it(): ...


@case("declare.assets.asset_mistakes.NoAssets")
def no_assets():
    @multi_asset()
    def it(): ...


@case("declare.assets.asset_mistakes.OutsAndSpecs")
def outs_and_specs():
    @multi_asset(outs={"a": AssetOut()}, specs=[AssetSpec("b")])
    def it(): ...


@case("declare.assets.asset_mistakes.UnknownInternalDep")
def internal_dep():
    @multi_asset(outs={"a": AssetOut()}, internal_asset_deps={"a": {AssetSpec("z").key}})
    def it(): ...


# -- graphs -------------------------------------------------------------------


@case("declare.mistakes.UsedAsValue")
def compared():
    @graph_asset
    def it():
        return plus(one() == 1)


@case("declare.mistakes.NoSuchOutput")
def no_such_output():
    @graph_asset
    def it():
        return two().c


@case("declare.mistakes.AliasTwice")
def one_alias_twice():
    @graph
    def it():
        one.alias("x")()
        return one.alias("x")()


@case("declare.mistakes.TwoDefinitions")
def two_definitions():
    other = op(name="one")(lambda: 2)

    @graph
    def it():
        return plus([one(), other()])


@case("declare.mistakes.NotAnOutput")
def all_outputs():
    @graph
    def it():
        return plus(two())


@case("declare.mistakes.Uncalled")
def uncalled_argument():
    @graph
    def it():
        return plus(one)


@case("declare.mistakes.FanInOfOther")
def fan_in():
    @graph
    def it():
        return plus([one(), 3])


@case("declare.mistakes.TooManyArguments")
def too_many_arguments():
    @graph
    def it():
        return plus(one(), one())


@case("declare.mistakes.UnknownInput")
def unknown_input():
    @graph
    def it(x):
        return plus(x, y=x)


@case("declare.mistakes.WiredTwice")
def wired_twice():
    @graph
    def it():
        return plus(one(), x=one())


@case("declare.mistakes.InputMissing")
def input_missing():
    @graph
    def it():
        return plus()


@case("declare.mistakes.UnusedInput")
def unused_input():
    @graph
    def it(x):
        return one()


@case("declare.mistakes.GraphTakesContext")
def graph_takes_context():
    @graph_asset
    def it(context):
        return one()


@case("declare.mistakes.ReturnedOther")
def returns_other():
    @graph
    def it():
        one()
        return 5


@case("declare.mistakes.ReturnedUncalled")
def uncalled_return():
    @graph
    def it():
        return one


@case("declare.mistakes.UnknownOutput")
def unknown_output_of_outs():
    @graph_multi_asset(outs={"good": AssetOut()})
    def it():
        return {"god": one()}


@case("declare.mistakes.OutputsMissing")
def outputs_missing():
    @graph(out={"a": GraphOut(), "b": GraphOut()})
    def it():
        return {"a": one()}


@case("declare.mistakes.WrongCount")
def wrong_count():
    @graph(out={"a": GraphOut(), "b": GraphOut()})
    def it():
        return one(), one(), one()


@case("declare.mistakes.OutputsUnnamed")
def outputs_unnamed():
    @graph
    def it():
        return one(), one()


@case("declare.assets.asset_mistakes.SeveralOutputs")
def graph_asset_without_output():
    @graph_asset
    def it():
        one()


@case("declare.graphs.wiring_mistakes.UnpackedOtherwise")
def too_many_unpacked():
    @graph
    def it():
        a, _b, _c = two()
        return a


@case("declare.graphs.wiring_mistakes.AssetCalled")
def asset_called():
    @asset
    def orders():
        return 1

    @graph_asset
    def it():
        return plus(orders())


@case("testing.replacing.NothingToReplaceIn")
def ops_of_definitions_replaced():
    replacing.replace_ops(Definitions(), {"one": lambda: 1})


@case("declare.graphs.wiring_mistakes.NotANode")
def not_a_node():
    GraphDefinition("it", node_defs=[print])


@case("declare.graphs.wiring_mistakes.NotDependencies")
def not_dependencies():
    GraphDefinition("it", node_defs=[one], dependencies=5)


@case("declare.graphs.wiring_mistakes.NoSuchNode")
def no_such_node():
    GraphDefinition("it", node_defs=[one], dependencies={"ones": {}})


@case("declare.graphs.wiring_mistakes.NoSuchOutput")
def no_such_wired_output():
    GraphDefinition("it", node_defs=[one, plus], dependencies={"plus": {"x": DependencyDefinition("one", "all")}})


@case("declare.graphs.wiring_mistakes.NodesInCircle")
def nodes_in_circle():
    GraphDefinition("it", node_defs=[plus], dependencies={"plus": {"x": DependencyDefinition("plus")}})


# -- definitions --------------------------------------------------------------


@case("declare.assets.asset_mistakes.NotAnAsset")
def not_an_asset():
    Definitions(assets=[lambda: 1])


@case("declare.project.definitions.MergeConflict")
def merge_conflict():
    Definitions.merge(Definitions(resources={"db": 1}), Definitions(resources={"db": 2}))


@case("declare.project.definitions.ReservedName")
def reserved_name():
    Definitions.validate_loadable(Definitions(jobs=[define_asset_job("__ASSET_JOB")]))


@case("declare.assets.selection_words.InvalidSelectionError")
def unreadable_selection():
    define_asset_job("nightly", selection="raw or (kind:csv")


# -- the whole ----------------------------------------------------------------


@case("resolve.mistakes.DuplicateAssetKey")
def duplicate_key():
    @asset
    def rows(): ...

    @multi_asset(outs={"rows": AssetOut()})
    def it(): ...

    materialize([rows, it])


@case("resolve.mistakes.DuplicateNode")
def duplicate_node():
    @asset(key="a/it")
    def it(): ...

    @asset(key="a__it")
    def again(): ...

    materialize([it, again])


@case("resolve.mistakes.UnknownUpstream")
def unknown_upstream():
    @asset
    def orders(): ...

    @asset
    def totals(order): ...

    materialize([orders, totals])


@case("resolve.mistakes.AssetCycle")
def cycle():
    @asset
    def chicken(egg): ...

    @asset
    def egg(chicken): ...

    materialize([chicken, egg])


@case("resolve.mistakes.InputNotProvided")
def input_not_provided():
    @job
    def it():
        plus(one())

    @graph
    def whole(x, y):
        plus.alias("other")(y)
        return plus(x)

    whole.execute_in_process(input_values={"y": 1})


@case("resolve.mistakes.UnusedOp")
def unused_op():
    @graph_asset
    def it():
        plus(one())
        return one()

    materialize([it])


@case("resolve.mistakes.OutputNotMapped")
def passed_through():
    @graph_asset
    def it(rows):
        return rows

    materialize([it, AssetSpec("rows")])


@case("resolve.mistakes.OneOutputTwoKeys")
def one_output_two_keys():
    @graph_multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def it():
        made = one()
        return {"a": made, "b": made}

    materialize([it])


@case("resolve.mistakes.MissingResource")
def missing_resource():
    @asset(required_resource_keys={"warehouse"})
    def it(): ...

    materialize([it], resources={"warehose": 1})


@case("resolve.mistakes.MissingIOManager")
def missing_manager():
    @asset(io_manager_key="parquet")
    def it(): ...

    materialize([it])


@case("resolve.mistakes.NotAnIOManager")
def not_a_manager():
    @asset
    def it(): ...

    materialize([it], resources={"io_manager": IOManager})


@case("resolve.mistakes.ConflictingResource")
def conflicting_resource():
    @asset(resource_defs={"db": 1})
    def first(): ...

    @asset(resource_defs={"db": 2})
    def second(): ...

    materialize([first, second])


@case("resolve.mistakes.DuplicateJob")
def duplicate_job():
    @asset
    def it(): ...

    jobs = [define_asset_job("nightly"), define_asset_job("nightly", "it")]
    materialize(Definitions(assets=[it], jobs=jobs).get_job_def("nightly") and [])


@case("operate.target.UnknownJob")
def unknown_job():
    from opgraph.operate.planning import plan

    plan(Definitions(jobs=[define_asset_job("nightly")]), instance=Instance.ephemeral(), job="nightli")


# -- selections ---------------------------------------------------------------


@graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()})
def bounds():
    low, high = two()
    return {"low": low, "high": high}


@case("resolve.mistakes.UnknownSelected")
def unknown_selected():
    materialize([bounds], selection="lo")


@case("resolve.mistakes.NothingSelected")
def nothing_selected():
    materialize([bounds], selection="group:reports")


@case("declare.assets.layout_mistakes.DepsBesideSpecs")
def deps_beside_specs():
    @multi_asset(specs=[AssetSpec("low"), AssetSpec("high")], deps=["rows"])
    def it(): ...


@case("declare.assets.layout_mistakes.InputsOfNoSpec")
def inputs_of_no_spec():
    @multi_asset(specs=[AssetSpec("low", deps=["rows"]), AssetSpec("high")])
    def it(rows, row): ...


@case("resolve.mistakes.CannotSubset")
def cannot_subset():
    materialize([bounds], selection="low")


@case("resolve.mistakes.CannotSplit")
def cannot_split():
    @multi_asset(
        outs={"first": AssetOut(), "last": AssetOut()},
        internal_asset_deps={"first": set(), "last": {AssetSpec("between").key}},
    )
    def it(between): ...

    @asset
    def between(first): ...

    materialize([it, between])


@case("resolve.mistakes.TakesItsOwn")
def takes_its_own():
    @multi_asset(
        outs={"first": AssetOut(), "last": AssetOut()},
        internal_asset_deps={"first": set(), "last": {AssetSpec("between").key}},
        can_subset=True,
    )
    def it(between): ...

    @asset
    def between(first): ...

    materialize([it, between], selection="first or between")


@case("declare.assets.layout_mistakes.InputsOfNoOutput")
def inputs_of_no_output():
    @multi_asset(outs={"flights": AssetOut()}, internal_asset_deps={"flights": set()})
    def it(airports):
        return len(airports)


@case("plan.mistakes.UnselectedAssetsRefused")
def unselected_refused():
    @graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()}, can_subset=True)
    def it():
        low, high = two()
        return {"low": low, "high": high}

    materialize([it], selection="low", unselected="error")


@case("plan.mistakes.NothingToRun")
def nothing_to_run():
    from opgraph.operate.execute import materialize as run
    from opgraph.operate.planning import plan_resume

    @asset
    def it():
        return 1

    defs, instance = Definitions(assets=[it]), Instance.ephemeral()
    plan_resume(defs, run(defs, instance=instance).run_id, instance=instance)


# -- files --------------------------------------------------------------------


@case("operate.project_mistakes.DefinitionsSyntaxError")
def syntax_error(tmp_path):
    (tmp_path / "definitions.py").write_text("def it(:\n    return 1\n")
    load(locate(str(tmp_path / "definitions.py")))


@case("operate.project_mistakes.DefinitionsFailedError")
def failed_at_import(tmp_path):
    (tmp_path / "definitions.py").write_text("def half(n):\n    return n / 0\n\n\nhalf(3)\n")
    load(locate(str(tmp_path / "definitions.py")))


@case("declare.assets.asset_mistakes.UnknownParameter")
def unknown_parameter():
    @asset(grp="reports")
    def it(): ...


@case("declare.graphs.wiring_mistakes.BodyThatRuns")
def async_body():
    @graph_asset
    async def it():
        return one()


@case("declare.project.folders.LeftOut")
def left_out(tmp_path):
    (tmp_path / "definitions.py").write_text(
        "from opgraph import Definitions, asset, definitions\n\n\n"
        "@asset\ndef kept(): ...\n\n\n@asset\ndef forgotten(): ...\n\n\n"
        "@definitions\ndef defs():\n    return Definitions(assets=[kept])\n"
    )
    load(locate(str(tmp_path / "definitions.py")))


@case("declare.assets.mapped.NotASpec")
def not_a_spec():
    @asset
    def it(): ...

    map_asset_specs(lambda spec: None, [it])


@case("declare.ops.op.ConfigOfOtherClass")
def config_of_other_class():
    class Limit:
        most: int = 3

    @op
    def it(config: Limit): ...


@case("declare.arguments.WrongArguments")
def no_parentheses():
    @multi_asset
    def it(): ...


@case("declare.settings.config.BadFields")
def bad_fields(tmp_path):
    (tmp_path / "definitions.py").write_text(
        "from opgraph import Config, ConfigurableResource\n\n\n"
        "class DB(ConfigurableResource):\n    url: str\n    user: str\n    port: int = 1\n\n\n"
        'DB(ur="x", port="many")\n'
    )
    load(locate(str(tmp_path / "definitions.py")))


# -- tests of users -----------------------------------------------------------


@graph_asset
def made():
    return inner(one())


@case("testing.replacing.NoSuchOp")
def no_such_op():
    replacing.replace_ops(made, {"ones": lambda: 1})


@case("testing.projects.GivenToNobody")
def given_to_nobody():
    given.run([made], given={"mode": 1})


@case("testing.replacing.FakeTakesOther")
def fake_takes_other():
    replacing.replace_ops(made, {"inner.plus": lambda y: 1})


@case("testing.replacing.GraphReplaced")
def graph_replaced():
    replacing.replace_ops(made, {"inner": lambda given: 1})


# -- configuration and resources that are declared ------------------------------


@case("declare.settings.resource.TooManyParameters")
def too_many_parameters():
    @resource
    def it(context, region):
        return region


@case("declare.graphs.config_mapping.MappingTakesOne")
def mapping_takes_one():
    @config_mapping
    def it(low, high):
        return {}


@case("declare.graphs.config_mapping.MappingSaysTwice")
def mapping_says_twice():
    class Strict(Config):
        strict: bool

    def it(given: Strict):
        return {}

    ConfigMapping(it, {"strict": bool})


@case("declare.tables.BadRecord")
def bad_record():
    TableRecord({"rows": [1]})


@case("resolve.needs.NeededNotGiven")
def needed_not_given():
    @resource(required_resource_keys={"region"})
    def db(context):
        return context.resources.region

    @asset(required_resource_keys={"db"})
    def it(context): ...

    materialize([it], resources={"db": db})


@case("resolve.mistakes.ClassOfResource")
def class_of_resource():
    class Warehouse(ConfigurableResource):
        url: str

    @asset
    def it(warehouse: Warehouse): ...

    materialize([it], resources={"warehouse": Warehouse})


@case("resolve.mistakes.OtherResource")
def other_resource():
    class Warehouse(ConfigurableResource):
        url: str

    class Lake(ConfigurableResource):
        url: str

    @asset
    def it(warehouse: Warehouse): ...

    materialize([it], resources={"warehouse": Lake(url="lake")})


@case("resolve.mistakes.CannotLoad")
def cannot_load():
    class Sink:
        def handle_output(self, context, obj): ...

    @asset(io_manager_key="sink")
    def rows():
        return 1

    @asset
    def total(rows): ...

    materialize([rows, total], resources={"sink": Sink()})


@case("resolve.needs.ResourceCircle")
def resource_circle():
    @resource(required_resource_keys={"b"})
    def a(context): ...

    @resource(required_resource_keys={"a"})
    def b(context): ...

    @asset(required_resource_keys={"a"})
    def it(context): ...

    materialize([it], resources={"a": a, "b": b})


@case("resolve.types.TypesDisagree")
def types_disagree():
    @op
    def text() -> str:
        return "a"

    @op
    def half(number: float) -> float:
        return number / 2

    @graph_asset
    def it():
        return half(text())

    materialize([it])


@case("operate.target.UnknownOps")
def unknown_ops():
    @job
    def it():
        one()

    it.execute_in_process(op_selection=["ones"])


@case("operate.target.UnknownInputValue")
def unknown_input_value():
    @op
    def half_of(number):
        return number / 2

    @graph
    def doubled(number):
        return half_of(number)

    doubled.execute_in_process(input_values={"numbers": 1, "number": 2})


@case("declare.assets.assets_definition.NothingDefined")
def nothing_defined():
    AssetsDefinition()


@case("declare.project.folders.NotDefinitions")
def not_definitions():
    @definitions
    def defs():
        return [made]

    defs()


@case("declare.project.folders.NoDefsFolder")
def no_defs_folder(tmp_path):
    load_from_defs_folder(path_within_project=tmp_path / "definitions.py")


@case("declare.labels.BadTagValue")
def bad_tag_value():
    @op(tags={"made": object()})
    def it(): ...


@case("declare.ops.op.ContextNotFirst")
def context_not_first():
    @op
    def it(rows, context): ...


@case("declare.ops.op.DefaultOfOtherType")
def default_of_other_type():
    @op(ins={"limit": In(int, default_value="10")})
    def it(limit): ...


@case("declare.ops.op.AnnotationNotOutputs")
def annotation_not_outputs():
    @op(out={"a": Out(), "b": Out()})
    def it() -> tuple[int, int, int]: ...


# -- fan-outs ---------------------------------------------------------------------


@op(out=DynamicOut())
def many():
    yield DynamicOutput(1, mapping_key="one")


@case("declare.ops.dynamic.BadMappingKey")
def bad_mapping_key():
    DynamicOutput(1, mapping_key="2024/05")


@case("declare.ops.op.OneDynamicOutput")
def one_dynamic_output():
    @op
    def it() -> DynamicOutput[int]:
        return DynamicOutput(1, mapping_key="one")


@case("declare.graphs.fan_mistakes.NotUnpacked")
def not_unpacked():
    @graph
    def whole():
        plus(many())


@case("declare.graphs.fan_mistakes.OutOfItsMap")
def out_of_its_map():
    @graph
    def whole():
        values = []
        many().map(values.append)
        plus(values[0])


@case("plan.limits.BadStepTag")
def bad_step_tag():
    materialize([asset(name="revenue", op_tags={"opgraph/timeout": "soon"})(lambda: 1)])


@case("declare.graphs.fan_mistakes.TwoFanOuts")
def two_fan_outs():
    @graph
    def whole():
        many().map(lambda x: many().map(lambda y: plus([x, y])))


@case("declare.graphs.fan_mistakes.CollectsItsOwn")
def collects_its_own():
    @graph
    def whole():
        values = many()
        values.map(lambda x: plus([x, values.collect()]))


@case("declare.graphs.fan_mistakes.NothingToUnpack")
def nothing_to_unpack():
    @graph
    def whole():
        one().map(plus)


@case("declare.graphs.fan_mistakes.CollectedAlready")
def collected_already():
    @graph
    def whole():
        many().collect().map(plus)


@case("resolve.mistakes.FanOutAsAsset")
def fan_out_as_asset():
    @graph_asset
    def whole():
        return many().map(plus)

    materialize([whole])


@case("declare.retry.NoDelay")
def no_delay():
    RetryPolicy(max_retries=3, backoff=Backoff.EXPONENTIAL)


@case("declare.ops.hooks.HookParameters")
def hook_parameters():
    @success_hook
    def tell(context, message):
        return None


@case("declare.ops.hooks.HookNeedsResource")
def hook_needs_resource():
    @success_hook(required_resource_keys={"chat"})
    def tell(context):
        return None

    tell(build_hook_context())


@case("declare.assets.asset_mistakes.NoPart")
def no_part():
    @multi_asset(outs={"early": AssetOut(), "late": AssetOut()})
    def it():
        return 1, 2

    it.subset_for({"late"})


@case("declare.ops.op.BareResource")
def bare_resource():
    class Warehouse(ResourceDefinition): ...

    @op
    def read(warehouse: Warehouse): ...


@case("declare.project.load.GroupTwice")
def group_twice():
    module = ModuleType("flights")

    @asset(group_name="raw")
    def flights(): ...

    module.flights = flights
    load_assets_from_modules([module], group_name="clean")


@case("values.problems.UnfinishedManager")
def unfinished_manager():
    class Half(IOManager):
        def handle_output(self, context, obj): ...

    Half()


@case("declare.settings.told.UntypedSetting")
def untyped_setting(tmp_path):
    code = "from opgraph import Config\n\nclass Cleaning(Config):\n    threshold = 0.5\n"
    (tmp_path / "definitions.py").write_text(code)
    load(locate(str(tmp_path / "definitions.py")))


@case("resolve.mistakes.DefaultMisfits")
def default_misfits():
    class Cleaning(Config):
        threshold: float = "high"

    @asset
    def clean(config: Cleaning): ...

    materialize([clean])
