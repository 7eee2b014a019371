"""Mistakes on the command line, in configuration, in a run, and in calls."""

import errno
import os
import sqlite3
import sys
import threading
import time
from functools import partial
from pathlib import Path

from cases import Cases, filed

from opgraph import (
    AssetDep,
    AssetKey,
    AssetMaterialization,
    AssetOut,
    AssetSelection,
    AssetSpec,
    Config,
    ConfigMapping,
    ConfigurableResource,
    Definitions,
    DynamicOut,
    DynamicOutput,
    EnvVar,
    EventType,
    FilesystemIOManager,
    Instance,
    MaterializeResult,
    OpExecutionContext,
    Out,
    Output,
    ResourceDefinition,
    RetryRequested,
    UPathIOManager,
    asset,
    build_asset_context,
    build_hook_context,
    build_init_resource_context,
    build_input_context,
    build_op_context,
    build_output_context,
    execute_job,
    graph,
    graph_asset,
    graph_multi_asset,
    job,
    make_values_resource,
    map_asset_specs,
    materialize,
    materialize_to_memory,
    mem_io_manager,
    multi_asset,
    op,
    reconstructable,
    resource,
    success_hook,
    threads_executor,
    with_resources,
)
from opgraph.operate import execute, inspect, planning
from opgraph.operate.cancel import cancel
from opgraph.operate.project import load, locate, make_home
from opgraph.resolve.mistakes import UnknownSelected
from opgraph.run.executors.mistakes import (
    ClusterLost,
    ClusterNotReached,
    CodeChanged,
    ExecutorNotInstalled,
    HostUnfit,
    RunTimedOut,
    WorkerCannotLoad,
)

CASES: Cases = {}
case = partial(filed, CASES)
ENV = {}


@op
def one():
    return 1


@op(out={"low": Out(), "high": Out(is_required=False)})
def pair():
    return 1, 2


def running(fn, out):
    """Run one op with two outputs, or those given, in a job."""
    made = op(name="it", out=out)(fn) if out else op(name="it")(fn)

    @job
    def the_job():
        made()

    return the_job.execute_in_process()


TWO = {"low": Out(), "high": Out(is_required=False)}


# -- what an op gives back ------------------------------------------------------


@case("run.mistakes.NoneForSeveral")
def none_for_several():
    running(lambda: None, TWO)


@case("run.mistakes.OneForSeveral")
def one_for_several():
    running(lambda: 5, TWO)


@case("run.mistakes.WrongLength")
def wrong_length():
    running(lambda: (1, 2, 3), TWO)


@case("run.mistakes.WrongPosition")
def wrong_position():
    running(lambda: (Output(1, "high"), Output(2, "low")), TWO)


@case("run.mistakes.UnknownOutput")
def unknown_output():
    def it():
        yield Output(1, "lo")

    running(it, TWO)


@case("run.mistakes.OutputTwice")
def output_twice():
    def it():
        yield Output(1, "low")
        yield Output(2, "low")

    running(it, TWO)


@case("run.mistakes.BareYield")
def bare_yield():
    def it():
        yield 5

    running(it, TWO)


@case("run.mistakes.NoOutputs")
def no_outputs():
    made = op(name="it", out={})(lambda: 5)
    made()


@case("run.mistakes.ValueForNothing")
def value_for_nothing():
    def it() -> None:
        return 5

    running(it, None)


@case("run.mistakes.WrongKind")
def wrong_kind():
    def it() -> Output[int]:
        return 5

    running(it, None)


@case("run.mistakes.OutputMissing")
def output_missing():
    def it():
        yield Output(1, "high")

    running(it, TWO)


@case("run.mistakes.OutputMissingInCall")
def output_missing_in_call():
    @op(out=TWO)
    def it():
        yield Output(1, "high")

    list(it())


@case("run.mistakes.WrongOrder")
def wrong_order():
    @multi_asset(
        outs={"first": AssetOut(), "last": AssetOut()},
        internal_asset_deps={"first": set(), "last": {AssetSpec("first").key}},
    )
    def it():
        yield Output(2, "last")
        yield Output(1, "first")

    materialize([it])


@case("run.mistakes.ReportReturned")
def report_returned():
    running(lambda: AssetMaterialization("a"), None)


@case("run.mistakes.ResultWithoutAsset")
def result_without_asset():
    def it():
        return MaterializeResult()

    running(it, None)


@case("run.mistakes.WhichAsset")
def which_asset():
    @multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def it():
        yield MaterializeResult()

    materialize([it])


@case("run.step.outputs.UnselectedAssetCame")
def unselected_came():
    @op(out={"low": Out(is_required=False), "high": Out(is_required=False)})
    def split():
        yield Output(1, "low")
        yield Output(2, "high")

    @graph_multi_asset(outs={"low": AssetOut(), "high": AssetOut()}, can_subset=True)
    def it():
        low, high = split()
        return {"low": low, "high": high}

    materialize([it], selection="low", unselected="error")


# -- the context ----------------------------------------------------------------


@case("run.mistakes.MetadataTooLate")
def metadata_too_late():
    def it(context):
        yield Output(1, "low")
        context.add_output_metadata({"rows": 1}, output_name="low")

    running(it, TWO)


@case("run.mistakes.MetadataForWhich")
def metadata_for_which():
    def it(context):
        context.add_output_metadata({"rows": 1})
        return 1, 2

    running(it, TWO)


@case("run.mistakes.NoSuchMember")
def no_such_member():
    def it(context):
        return context.asst_key

    running(it, None)


@case("run.mistakes.NoAssets")
def no_assets():
    def it(context):
        return context.asset_key

    running(it, None)


@case("run.mistakes.OutputForPlain")
def output_for_plain():
    @op
    def count() -> int:
        return Output(3)

    count()


@case("run.mistakes.InputNotGiven")
def input_not_given():
    @op
    def clean(rows): ...

    @graph
    def report(rows):
        clean(rows)

    report.execute_in_process()


@case("run.mistakes.NotInTests")
def not_in_tests():
    build_op_context().run  # noqa: B018


@case("run.mistakes.ResourceNotGiven")
def resource_not_given():
    def it(context):
        return context.resources.warehouse

    running(it, None)


@case("values.problems.NoAssetError")
def no_asset():
    class Keyed(FilesystemIOManager):
        def handle_output(self, context, obj):
            context.asset_key  # noqa: B018

    @job(resource_defs={"io_manager": Keyed()})
    def it():
        one()

    it.execute_in_process()


@case("values.problems.UnpartitionedError")
def unpartitioned():
    class Parted(FilesystemIOManager):
        def handle_output(self, context, obj):
            context.partition_key  # noqa: B018

    @job(resource_defs={"io_manager": Parted()})
    def it():
        one()

    it.execute_in_process()


# -- direct calls ---------------------------------------------------------------


@case("run.mistakes.ContextMissing")
def context_missing():
    @op
    def it(context): ...

    it()


@case("run.mistakes.TooManyArguments")
def too_many_arguments():
    one(1)


@case("run.mistakes.UnknownArguments")
def unknown_arguments():
    @op
    def it(rows): ...

    it(row=1)


@case("run.mistakes.MissingArguments")
def missing_arguments():
    @op
    def it(rows): ...

    it()


@case("declare.settings.resource.NeedsAContext")
def needs_a_context():
    @resource(required_resource_keys={"region"})
    def it(context):
        return context.resources.region

    it(None)


@case("declare.settings.resource.WrongResourceCall")
def wrong_resource_call():
    @resource
    def it(context): ...

    it(1, 2)


@case("operate.api.NotAList")
def not_a_list():
    @asset
    def it(): ...

    materialize(it)


@case("operate.target.BadPolicy")
def bad_policy():
    @asset
    def it(): ...

    materialize([it], unselected="ignore")


@case("errors.NotYetSupportedError")
def not_yet():
    @asset(partitions_def=object())
    def it(): ...


@case("not_planned.NotPlanned")
def not_planned():
    from opgraph import asset, Field  # noqa: F401, I001


@case("not_planned.NotPlannedName")
def not_planned_name():
    import opgraph as dg

    dg.Field(str)


@case("declare.assets.mapped.ArgumentNotADep")
def argument_not_a_dep():
    @asset
    def it(rows): ...

    map_asset_specs(lambda spec: spec.replace_attributes(deps=[]), [it])


@case("declare.assets.spec.OtherDependency")
def other_dependency():
    AssetSpec("a", deps=["b"]).merge_attributes(deps=[AssetDep("b", metadata={"x": 1})])


# -- values -----------------------------------------------------------------------


@case("values.problems.UnstorableValueError")
def unstorable(tmp_path):
    class Socket:
        def __reduce__(self):
            raise TypeError("a socket stays where it is")

    @asset
    def it():
        return Socket()

    with Instance(tmp_path) as instance:
        materialize([it], instance=instance)


@case("values.problems.ValueNotWrittenError")
def value_not_written(tmp_path):
    @asset
    def it():
        return 1

    with Instance(tmp_path) as instance:
        (tmp_path / "values").mkdir(exist_ok=True)
        (tmp_path / "values").rmdir()
        (tmp_path / "values").write_text("a file where the folder was")
        materialize([it], instance=instance)


@asset
def upstream():
    return [1, 2]


@asset
def downstream(upstream):
    return sum(upstream)


@case("run.store.missing.NeverMaterialized")
def never_materialized():
    materialize([upstream, downstream], selection="downstream")


@case("run.store.missing.AssetValueLost")
def asset_value_lost(tmp_path):
    with Instance(tmp_path) as instance:
        materialize([upstream], instance=instance)
        for file in (tmp_path / "values").rglob("upstream*"):
            if file.is_file():
                file.unlink()
        materialize([upstream, downstream], instance=instance, selection="downstream")


@case("run.store.missing.OnlyReported")
def only_reported():
    @asset
    def orders():
        return 3

    with Instance.ephemeral() as instance:
        instance.report_runless_asset_event(AssetMaterialization("orders"))
        Definitions([orders]).load_asset_value("orders", instance=instance)


@case("run.store.missing.NoStoredValue")
def no_stored_value():
    @asset
    def marker() -> None: ...

    @asset
    def reader(marker): ...

    materialize([marker, reader])


@case("values.problems.UnloadableValueError")
def unloadable(tmp_path):
    module = type(sys)("gone_later")
    exec("class Row: pass", module.__dict__)  # noqa: S102
    sys.modules["gone_later"] = module

    @asset
    def it():
        return module.Row()

    defs = Definitions(assets=[it])
    with Instance(tmp_path) as instance:
        materialize([it], instance=instance)
        del sys.modules["gone_later"]
        defs.load_asset_value("it", instance=instance)


# -- results ------------------------------------------------------------------------


def done():
    return materialize([upstream])


@case("run.results.NoSuchNode")
def no_such_node():
    done().output_for_node("upstrem")


@case("run.results.NoSuchOutput")
def no_such_output():
    done().output_for_node("upstream", "low")


@case("run.results.NotThatAsset")
def not_that_asset():
    done().asset_value("upstrem")


@case("run.results.NoOutput")
def no_output():
    @op(out={"low": Out(is_required=False)})
    def it():
        yield from ()

    @job
    def whole():
        it()

    whole.execute_in_process().output_for_node("it", "low")


@case("run.report.event.WrongEvent")
def wrong_event():
    done().all_events[0].step_materialization_data  # noqa: B018


@case("run.report.event.NoSuchEvent")
def no_such_event():
    done().get_run_failure_event() if hasattr(done(), "get_run_failure_event") else done().filter_events(EventType)


# -- the record ---------------------------------------------------------------------


@case("record.refusals.ClosedRecordError")
def closed(tmp_path):
    instance = Instance(tmp_path)
    instance.close()
    instance.get_runs()


@case("record.refusals.NewerSchemaError")
def newer(tmp_path):
    Instance(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "record.db")
    connection.execute("pragma user_version = 999")
    connection.close()
    Instance(tmp_path)


@case("record.refusals.UnusableRecordError")
def unusable(tmp_path):
    (tmp_path / "record.db").write_bytes(b"no database at all" * 100)
    Instance(tmp_path)


@case("record.refusals.RunHeldError")
def held(tmp_path):
    with Instance(tmp_path) as instance:
        run_id = materialize([upstream], instance=instance).run_id
        instance.record.claim(run_id, pid=os.getpid(), host="here", now=0.0)
        instance.record.claim(run_id, pid=os.getpid(), host="here", now=0.0)


@case("record.refusals.SupersededError")
def superseded(tmp_path):
    with Instance(tmp_path) as instance:
        run_id = materialize([upstream], instance=instance).run_id
        first = instance.record.claim(run_id, pid=1, host="here", now=0.0)
        first.release()
        instance.record.claim(run_id, pid=2, host="here", now=0.0)
        first.append([])


@case("run.instance.BadHome")
def bad_home(tmp_path):
    (tmp_path / "taken").write_text("a file")
    Instance(tmp_path / "taken")


@case("run.logs.BadLogSettings")
def bad_log_settings():
    Instance(python_logs={"handler_config": {"handlers": {"file": {"class": "logging.FilesHandler"}}}})


@case("record.refusals.ReadOnlyRecordError")
def read_only(tmp_path):
    with Instance(tmp_path) as instance:
        instance.record.leases.read_only = True
        materialize([upstream], instance=instance)


@case("run.instance.NotOfAnAsset")
def _(_tmp_path):
    Instance.ephemeral().report_runless_asset_event("flights")


@case("run.instance.BadPoolLimit")
def _(_tmp_path):
    with Instance.ephemeral() as instance:
        instance.set_pool_limit("warehouse", 0)


@case("run.instance.NoHome")
def no_home(tmp_path):
    before, home = Path.cwd(), os.environ.pop("OPGRAPH_HOME", None)
    os.chdir(tmp_path)
    try:
        Instance.get()
    finally:
        os.chdir(before)
        if home is not None:
            os.environ["OPGRAPH_HOME"] = home


# -- the command line -----------------------------------------------------------------


def project(folder, settings="", **files):
    (folder / "pyproject.toml").write_text(f"[tool.opgraph]\n{settings}")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return locate(start=folder, environment=ENV)


@case("operate.project_mistakes.ProjectNotFoundError")
def no_project(tmp_path):
    locate(start=tmp_path, environment=ENV)


@case("operate.project_mistakes.BrokenSettingsError")
def broken_settings(tmp_path):
    project(tmp_path, "file = ")


@case("operate.project_mistakes.UnknownSettingError")
def unknown_setting(tmp_path):
    project(tmp_path, 'fil = "definitions.py"')


@case("operate.project_mistakes.BadSettingError")
def bad_setting(tmp_path):
    project(tmp_path, 'on_unselected = "ignore"')


@case("operate.project_mistakes.DefinitionsFileMissingError")
def file_missing(tmp_path):
    (tmp_path / "definitions.py").write_text("")
    locate("definition.py", start=tmp_path, environment=ENV)


@case("operate.project_mistakes.DefinitionsModuleMissingError")
def module_missing(tmp_path):
    load(locate(module="no_such_pipelines", start=tmp_path, environment=ENV))


@case("operate.project_mistakes.NothingDefinedError")
def nothing_defined(tmp_path):
    load(project(tmp_path, 'file = "nothing_here.py"', nothing_here="def it():\n    return 1\n"))


@case("operate.project_mistakes.SeveralDefinitionsError")
def several_definitions(tmp_path):
    text = "from opgraph import Definitions\nday = Definitions()\nnight = Definitions()\n"
    load(project(tmp_path, 'file = "two_of_them.py"', two_of_them=text))


@case("operate.project_mistakes.NoSuchAttributeError")
def no_such_attribute(tmp_path):
    text = "from opgraph import Definitions\nday = Definitions()\n"
    load(project(tmp_path, 'file = "one_of_them.py"\nattribute = "night"', one_of_them=text))


@case("operate.project_mistakes.UnusableHomeError")
def unusable_home(tmp_path):
    (tmp_path / ".opgraph").write_text("a file")
    make_home(project(tmp_path, 'file = "it.py"', it=""))


@case("operate.inspect.NoSuchRunError")
def no_such_run():
    inspect.find_run(Instance.ephemeral().record, "abc")


@case("operate.inspect.AmbiguousRunError")
def ambiguous_run():
    from opgraph.record.rows import RunRow

    record = Instance.ephemeral().record
    record.create(RunRow(run_id="abc1", created=0.0))
    record.create(RunRow(run_id="abc2", created=0.0))
    inspect.find_run(record, "abc")


@case("operate.inspect.NothingToResumeError")
def nothing_to_resume():
    inspect.latest_unfinished(Instance.ephemeral().record)


@case("plan.mistakes.UnknownStep")
def unknown_step():
    defs, instance = Definitions(assets=[upstream]), Instance.ephemeral()
    run = execute.materialize(defs, instance=instance)
    execute.resume(defs, run.run_id, instance=instance, from_step="upstrem")


@case("errors.UnknownRun")
def run_not_found():
    planning.row_of(Instance.ephemeral(), "abc")


@case("errors.StepFailedError")
def step_failed():
    @asset
    def it():
        sys.exit("enough")

    materialize([it])


@case("operate.planning.SelectionGone")
def selection_gone():
    @asset
    def revenue():
        return 1 / 0

    @asset
    def revenues():
        return 1

    instance = Instance.ephemeral()
    run = execute.materialize(Definitions(assets=[revenue]), instance=instance)
    try:
        planning.plan_resume(Definitions(assets=[revenues]), run.run_id, instance=instance)
    except planning.SelectionGone as gone:
        raise planning.SelectionGone("5e3a0b12", UnknownSelected(gone.asset, gone.near, 1)) from None


@case("show.cli.ink.CannotPrintError")
def cannot_print():
    from opgraph.show.cli.ink import CannotPrintError

    raise CannotPrintError(OSError(errno.ENOSPC, "No space left on device"))


@case("show.cli.draw.PictureNotWritten")
def picture_not_written(tmp_path):
    from opgraph.show.cli.draw import PictureNotWritten

    raise PictureNotWritten(tmp_path / "no" / "such.svg", FileNotFoundError(errno.ENOENT, "No such file or directory"))


@case("show.cli.init.DirectoryNotEmptyError")
def not_empty(tmp_path):
    from opgraph.show.cli.init import command

    (tmp_path / "mine.txt").write_text("")
    command.callback(str(tmp_path))


@case("show.cli.init.CannotWriteError")
def cannot_write(tmp_path):
    from opgraph.show.cli.init import command

    (tmp_path / "file").write_text("")
    command.callback(str(tmp_path / "file" / "below"))


@case("show.cli.show.NothingToShowError")
def nothing_to_show():
    from opgraph.show.cli.show import NothingToShowError

    raise NothingToShowError("upstrem", ["upstream"])


# -- configuration --------------------------------------------------------------------


class Limits(Config):
    threshold: float = 0.5
    unit: str


class Relaxed(Config):
    threshold: float = 0.5


@op
def clean(config: Limits):
    return config.threshold


@job
def cleaning():
    clean()


def configured(**config):
    return cleaning.execute_in_process(run_config={"ops": {"clean": {"config": config}}})


@case("resolve.config_mistakes.UnknownKey")
def unknown_key():
    configured(unit="m", treshold=0.3)


@case("resolve.config_mistakes.MissingKey")
def missing_key():
    configured(threshold=0.3)


@case("resolve.config_mistakes.WrongType")
def wrong_type():
    configured(unit="m", threshold="much")


@case("resolve.config_mistakes.InvalidConfigsError")
def several():
    configured(threshold="much", treshold=1)


@case("resolve.config_mistakes.UnknownNode")
def unknown_node():
    cleaning.execute_in_process(
        run_config={"ops": {"clen": {"config": {"unit": "m"}}, "clean": {"config": {"unit": "m"}}}}
    )


@case("resolve.config_mistakes.UnknownSection")
def unknown_section():
    cleaning.execute_in_process(run_config={"opps": {}, "ops": {"clean": {"config": {"unit": "m"}}}})


@case("resolve.config_mistakes.MisplacedKey")
def misplaced_key():
    cleaning.execute_in_process(run_config={"ops": {"clean": {"unit": "m", "config": {"unit": "m"}}}})


@case("resolve.config_mistakes.NotConfigurable")
def not_configurable():
    @job
    def it():
        one()

    it.execute_in_process(run_config={"ops": {"one": {"config": {"x": 1}}}})


@case("resolve.config_mistakes.BadChoice")
def bad_choice():
    from typing import Literal

    class Mode(Config):
        mode: Literal["fast", "exact"]

    @op
    def chosen(config: Mode): ...

    @job
    def it():
        chosen()

    it.execute_in_process(run_config={"ops": {"chosen": {"config": {"mode": "fats"}}}})


@case("resolve.config_mistakes.BadValue")
def bad_value():
    from pydantic import Field

    class Few(Config):
        rows: int = Field(gt=0)

    @op
    def counted(config: Few): ...

    @job
    def it():
        counted()

    it.execute_in_process(run_config={"ops": {"counted": {"config": {"rows": 0}}}})


@case("resolve.config_mistakes.MappingMisfits")
def mapping_misfits():
    @op
    def relaxed(config: Relaxed): ...

    @job(config=ConfigMapping(lambda given: {"ops": {"relaxt": {"config": {}}}}))
    def it():
        relaxed()

    it.execute_in_process()


@case("resolve.config_mistakes.MappingFailed")
def mapping_failed():
    def simpler(given):
        return 5

    @op
    def relaxed(config: Relaxed): ...

    @job(config=ConfigMapping(simpler, {"strict": bool}))
    def it():
        relaxed()

    it.execute_in_process(run_config={"strict": True})


@case("resolve.config_mistakes.BadConfigText")
def bad_config_text():
    @asset
    def it(config: Relaxed): ...

    execute.materialize(Definitions(assets=[it]), instance=Instance.ephemeral(), config=["it.threshold"])


@case("declare.settings.env.EnvVarNotSet")
def env_not_set():
    configured(unit=EnvVar("OPGRAPH_NO_SUCH_VARIABLE"))


@case("declare.settings.env.EnvVarUsedTooEarly")
def env_too_early():
    str(EnvVar("WAREHOUSE"))


@case("declare.settings.env.EnvVarNoInt")
def env_no_int():
    os.environ["OPGRAPH_TEST_ROWS"] = "many"
    EnvVar.int("OPGRAPH_TEST_ROWS").get_value()


# -- resources ------------------------------------------------------------------------


@case("run.resources.ResourceNotMade")
def resource_not_made():
    @resource
    def db():
        raise OSError("no route to host")

    @asset(required_resource_keys={"db"})
    def it(context):
        return context.resources.db

    materialize([it], resources={"db": db})


@case("operate.mistakes.RunIdTaken")
def same_run_id():
    instance = Instance.ephemeral()

    @job
    def it():
        one()

    run_id = execute_job(it, instance).run_id
    it.execute_in_process(instance=instance, run_id=run_id)


@case("resolve.resources.AlreadyBound")
def already_bound():
    @asset(resource_defs={"db": 1})
    def it(): ...

    with_resources([it], {"db": 2})


@case("run.mistakes.ConfigTwice")
def config_twice():
    @op
    def it(context, config: Limits): ...

    it(build_op_context(op_config={"unit": "m"}), config=Limits(unit="km"))


@case("run.mistakes.ResourcesOnBoth")
def resources_on_both():
    @asset(resource_defs={"warehouse": 1})
    def it(context): ...

    it(build_asset_context(resources={"warehouse": 2}))


@case("run.mistakes.ResourcesTwice")
def resources_twice():
    class Warehouse(ConfigurableResource):
        url: str

    @op
    def it(context, warehouse: Warehouse, lake: Warehouse): ...

    it(build_op_context(resources={"lake": Warehouse(url="a")}), warehouse=Warehouse(url="b"))


@case("run.resources.NeedsWith")
def needs_with():
    @resource
    def db(context):
        yield 1

    build_op_context(resources={"db": db}).resources  # noqa: B018


@case("declare.project.reconstruct.NotReconstructable")
def not_reconstructable():
    @job
    def it():
        one()

    reconstructable(it)


@case("values.upath.NoBasePath")
def no_base_path():
    class Texts(UPathIOManager):
        extension = ".txt"

        def dump_to_path(self, context, obj, path): ...

        def load_from_path(self, context, path): ...

    Texts().handle_output(build_output_context(name="result", step_key="it"), "text")


@case("values.problems.ValueLostError")
def value_lost(tmp_path):
    @asset
    def many():
        return 1

    with Instance(tmp_path) as instance:
        run = materialize([many], instance=instance)
        for file in (tmp_path / "values").rglob("many*"):
            file.unlink() if file.is_file() else None
        run.asset_value("many")


@case("resolve.config_mistakes.VariableMisfits")
def variable_misfits():
    class Port(Config):
        port: int = EnvVar("PATH")

    @asset
    def it(config: Port): ...

    materialize([it])


@case("resolve.config_mistakes.SecretNotRecorded")
def secret_not_recorded():
    from pydantic import SecretStr

    class Login(Config):
        password: SecretStr

    @asset
    def it(config: Login):
        raise ValueError("no such user")

    defs, instance = Definitions(assets=[it]), Instance.ephemeral()
    run = execute.materialize(defs, instance=instance, config={"ops": {"it": {"config": {"password": "hush"}}}})
    execute.resume(defs, run.run_id, instance=instance)


@case("run.mistakes.NoStepUnderWay")
def no_step_under_way():
    OpExecutionContext.get()


@case("run.store.missing.UnknownAsset")
def unknown_asset():
    @asset
    def it(context):
        return context.load_asset_value(AssetKey("upstrem"))

    materialize([upstream, it])


@case("run.types.WrongType")
def value_of_wrong_type():
    @asset
    def it() -> int:
        return "one"

    materialize([it])


@case("frames.tables.NoTable")
def no_table(tmp_path):
    from opgraph import frames

    @asset
    def it():
        return 5

    materialize([it], resources={"io_manager": frames.ParquetIOManager(base_path=str(tmp_path))})


@case("frames.tables.UnfitTable")
def unfit_table(tmp_path):
    import pyarrow as pa

    from opgraph import frames

    @asset
    def it():
        return pa.table({"n": [1], "N": [2]})

    materialize([it], resources={"io_manager": frames.DuckDBIOManager(database=str(tmp_path / "lake.duckdb"))})


@case("frames.tables.NothingThere")
def nothing_there():
    from opgraph import frames

    @asset
    def it(raw):
        return raw

    materialize([AssetSpec("raw"), it], resources={"io_manager": frames.ParquetIOManager(base_path="nowhere")})


@case("values.upath.NoLibraryForURL")
def no_library(tmp_path):
    from opgraph import frames

    @asset
    def it():
        return [{"a": 1}]

    materialize([it], resources={"io_manager": frames.ParquetIOManager(base_path="warehouse://bucket")})


# -- fan-outs ---------------------------------------------------------------------


@case("run.mistakes.NotDynamicOutput")
def not_a_dynamic_output():
    @op(out=DynamicOut())
    def parts():
        yield Output(1)

    @job
    def it():
        parts()

    it.execute_in_process()


@case("run.mistakes.NotDynamicOutputs")
def not_dynamic_outputs():
    @op(out=DynamicOut())
    def parts():
        return 1

    @job
    def it():
        parts()

    it.execute_in_process()


@case("run.mistakes.NotDynamic")
def not_dynamic():
    @op
    def parts():
        yield DynamicOutput(1, mapping_key="one")

    @job
    def it():
        parts()

    it.execute_in_process()


@case("run.mistakes.MappingKeyTwice")
def mapping_key_twice():
    @op(out=DynamicOut())
    def parts():
        yield DynamicOutput(1, mapping_key="one")
        yield DynamicOutput(2, mapping_key="one")

    @job
    def it():
        parts()

    it.execute_in_process()


# -- executors --------------------------------------------------------------------------------------


@case("run.executors.mistakes.UnknownExecutor")
def unknown_executor():
    materialize([asset(name="revenue")(lambda: 1)], executor="celery")


@case("run.executors.mistakes.BadExecutorSetting")
def bad_executor_setting():
    materialize([asset(name="revenue")(lambda: 1)], executor=threads_executor.configured({"size": 3}))


@case("run.executors.mistakes.NotSharedBetweenProcesses")
def not_shared_between_processes():
    revenue = asset(name="revenue")(lambda: 1)
    materialize([revenue], executor="processes", resources={"io_manager": mem_io_manager})


@case("run.executors.mistakes.NotShippable")
def not_shippable():
    lock = threading.Lock()

    @asset
    def revenue():
        return lock.locked()

    materialize([revenue], executor="dask")


@case("run.executors.mistakes.ExecutorNotInstalled")
def executor_not_installed():
    raise ExecutorNotInstalled("dask")  # in an environment without the extra


@case("run.executors.mistakes.ClusterNotReached")
def cluster_not_reached():
    raise ClusterNotReached("tcp://cluster:8786", "it has no workers after 10 s")


@case("run.executors.mistakes.ClusterLost")
def cluster_lost():
    raise ClusterLost("tcp://cluster:8786", "its scheduler does not answer any more")


@case("run.executors.mistakes.HostUnfit")
def host_unfit():
    raise HostUnfit("tcp://10.0.0.7:40123", "ModuleNotFoundError: No module named 'polars'")


@case("run.executors.mistakes.CodeChanged")
def code_changed():
    raise CodeChanged("Dask worker tcp://10.0.0.7:40123", ["clean", "join"])


@case("run.executors.mistakes.WorkerCannotLoad")
def worker_cannot_load():
    raise WorkerCannotLoad("RuntimeError: no display (/home/me/project/plots.py:3)")


@case("run.executors.mistakes.WorkerDied")
def worker_died():
    materialize([asset(name="revenue")(lambda: os._exit(3))], executor="processes")


@case("run.executors.mistakes.StepTimedOut")
def step_timed_out():
    materialize([asset(name="revenue", op_tags={"opgraph/timeout": 0.1})(lambda: time.sleep(5))])


@case("run.executors.mistakes.RunTimedOut")
def run_timed_out():
    raise RunTimedOut(2.5)  # it stands in the record of a run


@case("operate.cancel.RunCanceledError")
def run_canceled():
    with Instance.ephemeral() as instance:

        @asset
        def revenue(context):
            instance.request_cancel(context.run_id, "cancel by ann")
            time.sleep(5)

        materialize([revenue], instance=instance)


@case("operate.cancel.RunIsOver")
def run_is_over():
    with Instance.ephemeral() as instance:
        materialize([asset(name="revenue")(lambda: 1)], instance=instance)
        cancel(instance, instance.record.runs()[0].run_id)


@case("plan.mistakes.WouldRun")
def would_run():
    @asset(memoize=True)
    def revenue():
        return 1

    execute.materialize(Definitions(assets=[revenue]), instance=Instance.ephemeral(), reuse="only")


@case("operate.clean.CleaningRefusedError")
def cleaning_refused(tmp_path):
    from opgraph.operate.clean import clean

    with Instance(tmp_path / "home") as instance, instance.record.planning():
        clean(instance, wait=0.0)


@case("errors.BadRetryRequest")
def bad_retry_request():
    @op
    def fetch():
        raise RetryRequested(max_retries="three")

    @job
    def it():
        fetch()

    it.execute_in_process()


@case("declare.ops.hooks.HookCalledWrongly")
def hook_called_wrongly():
    @success_hook
    def tell(context):
        return None

    tell()


@case("run.step.hooks.NotInHookTests")
def not_in_hook_tests():
    @success_hook
    def tell(context):
        return context.run_id

    tell(build_hook_context())


@case("show.web.launching.BadConfigKey")
def bad_config_key():
    from opgraph.show.web.launching import as_given

    as_given({"@settings.toml": 1})


@case("show.web.serve.PortTaken")
def port_taken(tmp_path):
    serve_at(tmp_path, port=99_999)


@case("show.web.serve.NoToken")
def no_token(tmp_path):
    serve_at(tmp_path, token_file=tmp_path / "nowhere" / "token")


def serve_at(folder, **options):
    from opgraph.show.web.serve import serve

    (folder / "shop.py").touch()
    given = {"mode": "serve", "host": "127.0.0.1", "port": 0, "hosts": (), "token_file": None, "opens": False}
    serve(locate("shop.py", start=folder, environment=ENV), **{**given, **options}, say=print, tell=print)


@case("operate.mistakes.NotMadeByRun")
def not_made_by_run():
    instance = Instance.ephemeral()

    @asset
    def flights():
        return 1

    @asset
    def airports():
        return 2

    run_id = materialize([flights], instance=instance).run_id
    Definitions(assets=[flights, airports]).load_asset_value("airports", instance=instance, run_id=run_id)


@case("operate.mistakes.ManagersInMemory")
def managers_in_memory():
    @asset(io_manager_key="files")
    def flights():
        return 1

    materialize_to_memory([flights], resources={"files": FilesystemIOManager()})


@case("declare.assets.asset_mistakes.SeveralAssets")
def several_assets():
    @multi_asset(outs={"early": AssetOut(), "late": AssetOut()})
    def flights():
        return 1, 2

    print(flights.key)


@case("declare.assets.asset_mistakes.MadeByGraph")
def made_by_graph():
    @graph_asset
    def flights():
        return one()

    print(flights.op)


@case("declare.assets.asset_mistakes.NamesNoAsset")
def names_no_asset():
    AssetSelection.assets(one)


@case("declare.assets.asset_mistakes.NoSuchJob")
def no_such_job():
    @job
    def nightly():
        one()

    Definitions(jobs=[nightly]).get_job_def("nightli")


@case("declare.assets.asset_mistakes.NothingMakes")
def nothing_makes():
    @asset
    def flights():
        return 1

    Definitions(assets=[flights]).get_assets_def("flihgts")


@case("declare.ops.viewed.NoDefaultValue")
def no_default_value():
    @op
    def add(number):
        return number + 1

    print(add.input_defs[0].default_value)


@case("declare.graphs.wiring_mistakes.JobCalled")
def job_called():
    @job
    def nightly():
        one()

    nightly()


@case("resolve.mistakes.TakesNoSettings")
def takes_no_settings():
    with_resources([], {"limit": 3}, resource_config_by_key={"limit": {"config": 4}})


@case("values.problems.NoFolder")
def no_folder():
    FilesystemIOManager().handle_output(build_output_context(name="result"), 1)


@case("values.problems.MetadataTwice")
def metadata_twice():
    context = build_output_context(name="result")
    context.add_output_metadata({"rows": 1})
    context.add_output_metadata({"rows": 2})


@case("values.problems.NoInputAsks")
def no_input_asks():
    print(build_input_context().name)


@case("declare.settings.resource.NoString")
def no_string():
    ResourceDefinition.string_resource()(build_init_resource_context(config=5))


@case("declare.settings.resource.OtherValues")
def other_values():
    make_values_resource(most=int)(build_init_resource_context(config={"least": 1}))
