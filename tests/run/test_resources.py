"""Resources in runs: made once, in the order in which they need one another, put away also when the run fails."""

import contextlib
import subprocess
import sys
from typing import NamedTuple
from unittest.mock import MagicMock, Mock, create_autospec

import pytest

import opgraph as og
from opgraph import ConfigurableIOManager, ConfigurableResource, EnvVar, ResourceDependency

log: list[str] = []


@pytest.fixture(autouse=True)
def _fresh():
    log.clear()


class Noisy(ConfigurableResource):
    name: str = "noisy"

    def setup_for_execution(self, context):
        log.append(f"up {self.name}")

    def teardown_after_execution(self, context):
        log.append(f"down {self.name}")


class Around(ConfigurableResource):
    inner: Noisy
    other: ResourceDependency[str]

    @contextlib.contextmanager
    def yield_for_execution(self, context):
        log.append("up around")
        yield f"around {self.inner.name} and {self.other}"
        log.append("down around")


@og.asset
def uses(noisy: Noisy):
    log.append("uses")
    return noisy.name


@og.asset
def fails(noisy: Noisy, uses):
    raise ValueError("oh")


def test_once_a_run_and_only_what_is_used():
    """A resource is made once a run however many steps use it; one that no step uses is not made."""

    @og.asset
    def again(noisy: Noisy, uses):
        log.append("again")

    og.materialize([uses, again], resources={"noisy": Noisy(), "other": Noisy(name="other")})
    assert log == ["up noisy", "uses", "again", "down noisy"]


def test_only_for_selected_steps():
    """What only unselected assets use is not made."""

    @og.asset(required_resource_keys={"other"})
    def another(context): ...

    og.materialize([uses, another], resources={"noisy": Noisy(), "other": Noisy(name="other")}, selection=[uses])
    assert log == ["up noisy", "uses", "down noisy"]


def test_put_away_when_the_run_fails():
    """A failed step does not keep resources from being put away."""
    with pytest.raises(ValueError, match="oh"):
        og.materialize([uses, fails], resources={"noisy": Noisy()})
    assert log == ["up noisy", "uses", "down noisy"]


def test_inner_resources_first_and_put_away_last():
    """What a resource needs is made before it and put away after it; ops are given what it yields."""

    @og.resource
    def word(context):
        log.append("up word")
        yield "word"
        log.append("down word")

    @og.asset
    def made(around: og.ResourceParam[str]):
        return around

    result = og.materialize([made], resources={"around": Around(inner=Noisy(), other=word)})
    assert result.output_for_node("made") == "around noisy and word"
    assert log == ["up noisy", "up word", "up around", "down around", "down word", "down noisy"]


def test_one_object_where_it_is_used_twice():
    """A resource inside another one and among the resources is made once."""
    shared = Noisy(name="shared")

    @og.asset
    def made(around: og.ResourceParam[str], noisy: Noisy):
        return around, noisy.name

    og.materialize([made], resources={"noisy": shared, "around": Around(inner=shared, other="x")})
    assert log == ["up shared", "up around", "down around", "down shared"]


def test_a_resource_that_cannot_be_made():
    """An error while a resource is made is that of the step that needs it, named as such; others are put away."""

    class Broken(ConfigurableResource):
        def setup_for_execution(self, context):
            raise OSError("no such host")

    @og.asset
    def made(noisy: Noisy, broken: Broken): ...

    resources = {"noisy": Noisy(), "broken": Broken()}
    with og.Instance.ephemeral() as instance:
        with pytest.raises(
            og.ResourceFunctionError, match="resource `broken` could not be made: OSError: no such host"
        ):
            og.materialize([made], resources=resources, instance=instance)
        result = og.materialize([made], resources=resources, instance=instance, raise_on_error=False)
        assert not result.success
        assert [run.status for run in instance.get_runs()] == [og.DagsterRunStatus.FAILURE] * 2
    assert log == ["up noisy", "down noisy"] * 2


def test_an_error_while_putting_away():
    """It is logged; the run is what its steps made it, and the other resources are put away."""

    class Sticky(ConfigurableResource):
        def teardown_after_execution(self, context):
            raise OSError("stuck")

    @og.asset
    def made(noisy: Noisy, sticky: Sticky):
        return 1

    with og.Instance.ephemeral() as instance:
        result = og.materialize([made], resources={"noisy": Noisy(), "sticky": Sticky()}, instance=instance)
        assert result.success
        lines = [str(line) for line in instance.record.logs(result.run_id)]
        assert any("resource `sticky` could not be put away: OSError: stuck" in line for line in lines)
    assert log == ["up noisy", "down noisy"]


def test_each_run_has_a_copy():
    """What a run does to a resource's private attributes stays with that run."""

    class Counter(ConfigurableResource):
        _count: int = 0

        def add(self):
            self._count += 1
            return self._count

    @og.asset
    def counted(counter: Counter):
        return counter.add()

    counter = Counter()
    runs = [og.materialize([counted], resources={"counter": counter}) for _ in range(2)]
    assert [run.output_for_node("counted") for run in runs] == [1, 1]


def test_environment_variables_are_read_when_the_run_begins(monkeypatch, tmp_path):
    """References are read in the run, at any depth and as their types; what they hold is nowhere in the record."""

    class Server(ConfigurableResource):
        token: str
        port: int
        names: list[str]

    @og.asset
    def asked(server: Server):
        print(server, server.token)
        raise ValueError(f"refused {server.token}")

    monkeypatch.setenv("TEST_TOKEN", "very-secret-token")
    monkeypatch.setenv("TEST_PORT", "5432")
    server = Server(token=EnvVar("TEST_TOKEN"), port=EnvVar.int("TEST_PORT"), names=[EnvVar("TEST_TOKEN")])
    with og.build_resources({"server": server}) as made:
        assert (made.server.token, made.server.port, made.server.names) == (
            "very-secret-token",
            5432,
            ["very-secret-token"],
        )
        assert "very-secret-token" not in repr(made.server)
    with og.Instance(tmp_path / "home") as instance:
        og.materialize([asked], resources={"server": server}, instance=instance, raise_on_error=False)
    written = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"refused" in written
    assert b"very-secret-token" not in written


def test_a_variable_that_is_not_set(monkeypatch):
    """It is a mistake of configuration, found before any step runs."""
    monkeypatch.delenv("TEST_TOKEN", raising=False)
    inner = Around(inner=Noisy(name=EnvVar("TEST_TOKEN")), other="x")

    @og.asset
    def made(around: og.ResourceParam[str]): ...

    with og.Instance.ephemeral() as instance:
        for asset, resources in ((uses, {"noisy": inner.inner}), (made, {"around": inner})):
            with pytest.raises(og.InvalidConfigError, match="`TEST_TOKEN`"):
                og.materialize([asset], resources=resources, instance=instance)
        assert instance.get_runs() == []
    assert log == []


def test_settings_that_come_with_the_run(monkeypatch):
    """`configure_at_launch` takes settings from the run's configuration; they are checked like those in code."""
    monkeypatch.setenv("TEST_NAME", "from outside")
    resources = {"noisy": Noisy.configure_at_launch()}

    def run(config):
        return og.materialize([uses], resources=resources, run_config=config).output_for_node("uses")

    assert run(None) == "noisy"
    assert run({"resources": {"noisy": {"config": {"name": "other"}}}}) == "other"
    assert run({"resources": {"noisy": {"config": {"name": {"env": "TEST_NAME"}}}}}) == "from outside"
    assert run(og.RunConfig(resources={"noisy": Noisy(name="object")})) == "object"
    with pytest.raises(og.InvalidConfigError, match=r"resources\.noisy\.nmae"):
        run({"resources": {"noisy": {"config": {"nmae": "other"}}}})
    with pytest.raises(og.InvalidConfigError, match=r"resources\.noisy\.name"):
        run({"resources": {"noisy": {"config": {"name": 3}}}})


def test_a_missing_setting():
    """A setting without a default that the run does not give is named by its path."""

    class Needy(ConfigurableResource):
        url: str

    @og.asset
    def made(needy: Needy): ...

    with pytest.raises(og.InvalidConfigError, match=r"resources\.needy\.url"):
        og.materialize([made], resources={"needy": Needy.configure_at_launch()})


def test_context_resources_are_those_that_were_asked_for():
    """`context.resources` has what the op requires; another one that would have to be made is an error that says so."""

    @og.resource
    def made():
        return "made"

    @og.op(required_resource_keys={"one"})
    def right(context):
        return context.resources.one

    @og.op
    def wrong(context):
        return context.resources.one

    @og.job(resource_defs={"one": made})
    def both():
        right(), wrong()

    result = both.execute_in_process(raise_on_error=False)
    assert result.output_for_node("right") == "made"
    with pytest.raises(og.DagsterUnknownResourceError, match="does not say that it needs it"):
        both.execute_in_process()


def test_direct_calls():
    """A resource is an argument of a direct call, or comes with its context, and not both."""

    class Quiet(ConfigurableResource):
        name: str = "quiet"

    @og.op
    def ask(context, quiet: Quiet, question: str):
        return quiet.name + question

    context = og.build_op_context(resources={"quiet": Quiet(name="built")})
    assert ask(context, question="?") == "built?"
    assert ask(og.build_op_context(), Quiet(name="given"), "?") == "given?"
    assert ask(None, quiet=Quiet(name="given"), question="?") == "given?"
    with pytest.raises(og.InvalidInvocationError, match="its context has the resources `quiet`"):
        ask(context, quiet=Quiet(), question="?")
    with pytest.raises(og.InvalidInvocationError, match="quiet"):
        ask(None, question="?")


def test_contexts_in_with_statements():
    """A built context with a resource that cleans up is used in `with`."""

    @og.op(required_resource_keys={"around"})
    def ask(context):
        return context.resources.around

    given = {"around": Around(inner=Noisy(), other="x")}
    with og.build_op_context(resources=given) as context:
        assert ask(context) == "around noisy and x"
    assert log[-2:] == ["down around", "down noisy"]


def test_outside_of_runs():
    """A resource can be made by hand, for notebooks."""
    assert Noisy(name="by hand").process_config_and_initialize().name == "by hand"
    assert log == ["up by hand"]
    with Noisy(name="for a while").process_config_and_initialize_cm() as made:
        assert made.name == "for a while"
    assert log[1:] == ["up for a while", "down for a while"]


class Memory(ConfigurableIOManager):
    prefix: str
    noisy: Noisy
    _kept: dict = {}

    def handle_output(self, context, obj):
        self._kept[tuple(context.get_identifier())] = f"{self.prefix}{obj}"
        context.add_output_metadata({"prefix": self.prefix})

    def load_input(self, context):
        return self._kept[tuple(context.get_identifier())]


def test_io_managers_as_classes():
    """An I/O manager may be a class with settings and resources; its metadata is kept."""

    @og.asset
    def one():
        return "one"

    @og.asset
    def two(one):
        return one + "!"

    result = og.materialize([one, two], resources={"io_manager": Memory(prefix="> ", noisy=Noisy())})
    assert result.output_for_node("two") == "> one!"
    assert log == ["up noisy", "down noisy"]
    assert result.asset_materializations_for_node("one")[0].metadata["prefix"].value == "> "


def test_io_managers_of_functions_and_factories():
    """An I/O manager may come from a function or from a factory class, and at launch."""

    class Factory(og.ConfigurableIOManagerFactory):
        prefix: str

        def create_io_manager(self, context):
            return Memory(prefix=self.prefix, noisy=Noisy())

    @og.io_manager(required_resource_keys={"word"})
    def made(context):
        return Memory(prefix=context.resources.word, noisy=Noisy())

    @og.asset
    def one():
        return 1

    @og.asset
    def two(one):
        return one

    def run(manager, **options):
        result = og.materialize([one, two], resources={"io_manager": manager, "word": "w"}, **options)
        return result.output_for_node("two")

    assert run(made) == "w1"
    assert run(Factory(prefix="f")) == "f1"
    assert run(og.IOManagerDefinition.hardcoded_io_manager(Memory(prefix="h", noisy=Noisy()))) == "h1"
    at_launch = {"resources": {"io_manager": {"config": {"prefix": "l"}}}}
    assert run(Factory.configure_at_launch(), run_config=at_launch) == "l1"


def test_values_are_loaded_by_a_manager_that_is_made():
    """`load_asset_value` makes the I/O manager as a run does, and puts it away."""

    @og.io_manager
    def made():
        log.append("up")
        yield Fixed()
        log.append("down")

    class Fixed(og.IOManager):
        def handle_output(self, context, obj): ...

        def load_input(self, context):
            return "loaded"

    @og.asset
    def one():
        return 1

    defs = og.Definitions(assets=[one], resources={"io_manager": made})
    with og.Instance.ephemeral() as instance:
        og.materialize([one], resources={"io_manager": made}, instance=instance)
        assert defs.load_asset_value("one", instance=instance) == "loaded"
    assert log == ["up", "down"] * 2


def test_folders_of_files_at_launch(tmp_path):
    """The folder of a FilesystemIOManager may come with the run, and has a folder for each asset."""

    @og.asset
    def one():
        return 1

    manager = og.FilesystemIOManager.configure_at_launch()
    config = {"resources": {"io_manager": {"config": {"base_dir": str(tmp_path)}}}}
    og.materialize([one], resources={"io_manager": manager}, run_config=config)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_input_managers():
    """An input manager loads an input in place of what stored it, or where nothing is wired to it."""

    @og.input_manager
    def loader(context):
        return f"loaded {context.name}"

    class Loader(og.InputManager):
        def load_input(self, context):
            return "by a class"

    @og.input_manager
    def of_class():
        return Loader()

    @og.op
    def first():
        return 1

    @og.op(ins={"a": og.In(input_manager_key="loader"), "b": og.In(input_manager_key="of_class")})
    def second(a, b):
        return a, b

    @og.job(resource_defs={"loader": loader, "of_class": of_class})
    def loading():
        second(first())

    assert loading.execute_in_process().output_for_node("second") == ("loaded a", "by a class")


def test_metadata_that_is_yielded():
    """`handle_output` may be a generator, which yields metadata and materializations."""

    class Yielding(og.IOManager):
        def handle_output(self, context, obj):
            yield {"rows": 3}

        def load_input(self, context): ...

    @og.asset
    def one():
        return 1

    result = og.materialize([one], resources={"io_manager": Yielding()})
    assert result.asset_materializations_for_node("one")[0].metadata["rows"].value == 3


def test_resource_definitions_on_every_kind_of_asset():
    """`resource_defs` may stand on an asset, a multi-asset and the two of graphs."""

    @og.op(required_resource_keys={"noisy"})
    def name_of(context):
        return context.resources.noisy.name

    defs = {"noisy": Noisy()}

    @og.asset(resource_defs=defs)
    def a(noisy: Noisy):
        return noisy.name

    @og.multi_asset(outs={"b": og.AssetOut()}, resource_defs=defs)
    def bs(noisy: Noisy):
        return noisy.name

    @og.graph_asset(resource_defs=defs)
    def c():
        return name_of()

    @og.graph_multi_asset(outs={"d": og.AssetOut()}, resource_defs=defs)
    def ds():
        return {"d": name_of()}

    result = og.materialize([a, bs, c, ds])
    assert [result.asset_value(key) for key in "abcd"] == ["noisy"] * 4
    assert log == ["up noisy", "down noisy"]


def test_an_import_stays_light():
    """Using plain objects as resources imports no pydantic."""
    code = "import opgraph as og, sys\n@og.asset\ndef a(): return 1\nog.materialize([a])\n"
    code += "assert 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_resources_given_to_a_run_replace_those_of_its_job():
    """`execute_in_process(resources=…)` goes before the job's `resource_defs`, key by key."""

    @og.op(required_resource_keys={"one", "two"})
    def both(context):
        return context.resources.one, context.resources.two

    @og.job(resource_defs={"one": 1, "two": 2})
    def pair():
        both()

    assert pair.execute_in_process(resources={"two": 22}).output_for_node("both") == (1, 22)
    assert pair.execute_in_process().output_for_node("both") == (1, 2)


def test_what_an_asset_brings_it_may_use():
    """The keys of an asset's `resource_defs` need not stand in `required_resource_keys` too."""

    @og.asset(resource_defs={"foo": og.ResourceDefinition.hardcoded_resource("blah")})
    def it(context):
        return context.resources.foo

    assert og.materialize([it]).output_for_node("it") == "blah"


@pytest.mark.parametrize("decorator", [og.resource, og.io_manager])
def test_a_config_schema_of_python_types(decorator, monkeypatch):
    """`config_schema` as a dict of types is checked before anything runs, with the path; `configured` gives it too."""

    @decorator(config_schema={"path": str, "limit": int})
    def store(context):
        log.append(context.resource_config)
        return og.InMemoryIOManager()

    @og.op(required_resource_keys={"store"})
    def act():
        log.append("act")

    @og.job(resource_defs={"store": store})
    def it():
        act()

    monkeypatch.setenv("HERE", "place-of-its-own")
    config = {"resources": {"store": {"config": {"path": {"env": "HERE"}, "limit": 3}}}}
    assert it.execute_in_process(run_config=config).success
    assert log == [{"path": "place-of-its-own", "limit": 3}, "act"]
    log.clear()
    with pytest.raises(og.InvalidConfigError, match=r"resources\.store\.limit"):
        it.execute_in_process(run_config={"resources": {"store": {"config": {"path": "a", "limit": "b"}}}})
    with pytest.raises(og.InvalidConfigError, match=r"resources\.store\.path"):
        it.execute_in_process()
    assert log == []
    assert it.execute_in_process(resources={"store": store.configured({"path": "x", "limit": 1})}).success
    assert log == [{"path": "x", "limit": 1}, "act"]


class Connected(og.IOManager):
    """Stores in something that is closed at the end of the run."""

    def __init__(self):
        self.rows = {}

    def handle_output(self, context, obj):
        self.rows[context.step_key] = obj

    def load_input(self, context):
        return self.rows[context.upstream_output.step_key]


def test_results_show_what_was_stored_in_what_is_put_away():
    """The values of a run can be looked at after its I/O manager was closed and loads no more."""

    @og.io_manager
    def closing(context):
        made = Connected()
        yield made
        made.rows = None

    @og.asset
    def one():
        return 1

    @og.asset
    def two(one):
        return one + 1

    result = og.materialize([one, two], resources={"io_manager": closing})
    assert (result.output_for_node("one"), result.asset_value("two")) == (1, 2)


def test_what_an_op_wrote_itself_is_loaded_by_a_users_manager():
    """An input that takes a value from a Nothing output asks the user's I/O manager; ours have none and give None."""

    class Elsewhere(Connected):
        def load_input(self, context):
            return f"from {context.upstream_output.step_key}"

    @og.op(out=og.Out(og.Nothing))
    def writes():
        log.append("writes")

    @og.op
    def reads(rows):
        return rows

    @og.job
    def it():
        reads(writes())

    assert it.execute_in_process().output_for_node("reads") is None
    assert it.execute_in_process(resources={"io_manager": og.mem_io_manager}).output_for_node("reads") is None
    done = it.execute_in_process(resources={"io_manager": Elsewhere()}, raise_on_error=False)
    assert [event.event_type.name for event in done.all_events if event.is_failure] == []
    manager = Elsewhere()
    log.clear()
    manager.handle_output = lambda context, obj: log.append(obj)
    it.execute_in_process(resources={"io_manager": manager})
    assert log == ["writes", "from writes"]


def test_managers_are_told_what_was_declared_and_configured():
    """An I/O manager sees its own configuration, and when it loads what was declared of the output and who made it."""
    told = []

    class Telling(Connected):
        def handle_output(self, context, obj):
            super().handle_output(context, obj)
            told.append((context.resource_config, context.dagster_type.display_name))

        def load_input(self, context):
            made = context.upstream_output
            told.append((context.resource_config, dict(made.metadata), made.op_def.name, made.dagster_type.typing_type))
            return super().load_input(context)

    @og.io_manager(config_schema={"base": str})
    def telling(context):
        return Telling()

    @og.op(out=og.Out(int, metadata={"rows": 1}))
    def first():
        return 1

    @og.op
    def second(x):
        return x

    @og.job(resource_defs={"io_manager": telling.configured({"base": "here"})})
    def it():
        second(first())

    assert it.execute_in_process().success
    assert told == [
        ({"base": "here"}, "Int"),
        ({"base": "here"}, {"rows": 1}, "first", int),
        ({"base": "here"}, "Any"),
    ]


def test_a_setting_that_is_missing_is_told_with_its_path():
    """Where a setting has no default and the run gives none, the fix is the whole word for the command line."""

    class Old(ConfigurableResource):
        a: int

    @og.asset
    def made(old: Old): ...

    with pytest.raises(og.InvalidConfigError) as caught:
        og.materialize([made], resources={"old": Old.configure_at_launch()})
    assert caught.value.fix == "give it: `-c resources.old.a=…`"


@pytest.mark.parametrize("mock", [Mock(), MagicMock(), Mock(spec=Noisy), create_autospec(Noisy, instance=True)])
def test_a_mock_is_a_resource(mock):
    """What answers to every name is a resource like any other object, by parameter and by key, in a run and a call."""
    mock.name = "mocked"

    @og.asset
    def by_parameter(noisy: Noisy):
        return noisy.name

    @og.asset(required_resource_keys={"noisy"}, memoize=True)
    def by_key(context):
        return context.resources.noisy.name

    made = og.materialize([by_parameter, by_key], resources={"noisy": mock})
    assert (made.asset_value("by_parameter"), made.asset_value("by_key")) == ("mocked", "mocked")
    assert by_parameter(mock) == "mocked"


class Login(og.Config):
    user: str = "ada"
    word: str = EnvVar("OPGRAPH_TEST_WORD")


class Holder(ConfigurableResource):
    login: Login = Login()
    several: list[Login] = []
    own: str = EnvVar("OPGRAPH_TEST_WORD")


@pytest.mark.parametrize(
    "given",
    [
        Holder(several=[Login(user="bob")]),
        Holder(login=Login(user="eve"), several=[Login(word="open")]),
        Holder.configure_at_launch(several=[Login(user=EnvVar("OPGRAPH_TEST_WORD"))]),
        Holder.configure_at_launch(),
    ],
)
def test_references_inside_settings_of_resources(monkeypatch, given):
    """A variable is read wherever a setting inside a resource's settings refers to it, by default too, and is shown
    nowhere."""
    monkeypatch.setenv("OPGRAPH_TEST_WORD", "sesame")

    @og.asset
    def looks(holder: Holder):
        words = [each.word for each in (holder.login, *holder.several)]
        assert set(words) <= {"sesame", "open"}
        assert words[0] == holder.own == "sesame"
        assert all(each.user in ("ada", "bob", "eve", "sesame") for each in (holder.login, *holder.several))
        assert "sesame" not in repr(holder)

    assert og.materialize([looks], resources={"holder": given}).success


class Pair(NamedTuple):
    one: Noisy
    weight: int


class Pool(ConfigurableResource):
    several: list[Noisy] = []
    by_name: dict[str, Noisy] = {}
    pair: Pair | None = None


def test_resources_in_lists_and_dicts(monkeypatch):
    """They are made ready before the resource that holds them and put away after it, as a field of its own is."""
    monkeypatch.setenv("OPGRAPH_TEST_NAME", "second")

    @og.asset
    def looks(pool: Pool):
        log.append(" ".join(each.name for each in (*pool.several, *pool.by_name.values(), pool.pair.one)))
        assert pool.pair.weight == 3

    pool = Pool(
        several=[Noisy(name="first"), Noisy(name=EnvVar("OPGRAPH_TEST_NAME"))],
        by_name={"x": Noisy(name="third")},
        pair=Pair(Noisy(name="last"), 3),
    )
    og.materialize([looks], resources={"pool": pool})
    names = ["first", "second", "third", "last"]
    assert log == [*(f"up {name}" for name in names), " ".join(names), *(f"down {name}" for name in reversed(names))]


def test_a_class_in_a_function():
    """A function with `@resource` may make its resource of a class, with the configuration that it is given."""

    @og.resource(config_schema={"name": str})
    def noisy(context):
        return Noisy.from_resource_context(context)

    @og.asset(required_resource_keys={"noisy"})
    def looks(context):
        log.append(context.resources.noisy.name)

    og.materialize([looks], resources={"noisy": noisy.configured({"name": "made"})})
    assert log == ["up made", "made"]
