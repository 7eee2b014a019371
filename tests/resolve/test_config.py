"""Configuration laid down, checked and turned into what ops are given: from what is written to what a function sees."""

import enum
import json
import pickle
import sys
from typing import Annotated, Any, Literal

import pydantic
import pytest

from opgraph.declare.assets.asset import asset, graph_asset, graph_multi_asset
from opgraph.declare.assets.assets_definition import AssetsDefinition
from opgraph.declare.assets.spec import AssetOut
from opgraph.declare.graphs.config_mapping import ConfigMapping, config_mapping
from opgraph.declare.graphs.graph import graph
from opgraph.declare.ops.inputs import In
from opgraph.declare.ops.op import op
from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.job import define_asset_job, job
from opgraph.declare.settings.config import Config, PermissiveConfig
from opgraph.declare.settings.env import EnvVar, EnvVarNotSet
from opgraph.declare.settings.run_config import RunConfig
from opgraph.errors import InvalidConfigError, InvalidInvocationError, Source
from opgraph.keys import AssetKey
from opgraph.operate.api import materialize, materialize_to_memory, validate_run_config
from opgraph.operate.execute import materialize as run_materialize
from opgraph.operate.execute import resume
from opgraph.plan.model import Do
from opgraph.resolve import config_mistakes as mistakes
from opgraph.resolve.config_flat import flat
from opgraph.resolve.config_values import Fitting
from opgraph.run.call.build_contexts import build_asset_context, build_op_context
from opgraph.run.instance import Instance


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Cat(Config):
    kind: Literal["cat"] = "cat"
    meows: int = 1


class Dog(Config):
    kind: Literal["dog"] = "dog"
    barks: float = 1.5


class Deep(Config):
    limit: int = pydantic.Field(default=3, ge=0)


class Cleaning(Config):
    threshold: float = 0.5
    color: Color = Color.RED
    deep: Deep = Deep()
    pet: Cat | Dog = pydantic.Field(default=Cat(), discriminator="kind")
    sizes: dict[str, int] = {}
    names: list[str] | None
    either: int | str = 0
    token: pydantic.SecretStr = pydantic.SecretStr("none")


@op
def numbers():
    return [0.1, 0.4, 0.7]


@op
def clean(config: Cleaning, rows):
    return config


@graph_asset
def revenue():
    return clean(numbers())


def of_clean(settings):
    return {"ops": {"revenue": {"ops": {"clean": {"config": settings}}}}}


def given(run_config, assets=(revenue,)):
    return materialize_to_memory(assets, run_config=run_config).output_for_node("revenue")


SETTINGS = [
    ({}, Cleaning()),
    ({"threshold": 1}, Cleaning(threshold=1)),
    ({"color": "BLUE"}, Cleaning(color=Color.BLUE)),
    ({"color": "blue"}, Cleaning(color=Color.BLUE)),
    ({"deep": {"limit": 5}}, Cleaning(deep=Deep(limit=5))),
    ({"deep": Deep(limit=5)}, Cleaning(deep=Deep(limit=5))),
    ({"pet": {"kind": "dog", "barks": 2}}, Cleaning(pet=Dog(barks=2))),
    ({"pet": {"dog": {"barks": 2}}}, Cleaning(pet=Dog(barks=2))),
    ({"pet": Dog(barks=2)}, Cleaning(pet=Dog(barks=2))),
    ({"sizes": {"env": 4}}, Cleaning(sizes={"env": 4})),
    ({"names": ["a"]}, Cleaning(names=["a"])),
    ({"names": None}, Cleaning()),
    ({"either": "text"}, Cleaning(either="text")),
    ({"token": "secret text"}, Cleaning(token=pydantic.SecretStr("secret text"))),
]


@pytest.mark.parametrize(("settings", "config"), SETTINGS)
def test_settings_become_the_config(settings, config):
    """What is given under `config` is the object that the op sees, whatever its fields are made of."""
    assert given(of_clean(settings)) == config


@pytest.mark.parametrize("config", [config for _, config in SETTINGS])
def test_config_objects_are_settings_too(config):
    """A RunConfig with a Config object gives the op that object's settings."""
    assert given(RunConfig(ops={"revenue": {"ops": {"clean": config}}})) == config


WRONG = [
    (of_clean({"treshold": 1}), mistakes.UnknownKey, "`revenue.clean.treshold` is no setting", "`threshold`?"),
    (of_clean({"threshold": "1"}), mistakes.WrongType, "must be a number, not the str '1'", "test_config.py"),
    (of_clean({"threshold": True}), mistakes.WrongType, "must be a number, not the bool True", "give it a number"),
    (of_clean({"deep": {"limit": 1.5}}), mistakes.WrongType, "`revenue.clean.deep.limit`", "a whole number"),
    (of_clean({"deep": {"limit": -1}}), mistakes.BadValue, "`revenue.clean.deep.limit`", "greater than or equal to 0"),
    (of_clean({"deep": 3}), mistakes.WrongType, "a dict of Deep's settings", "int 3"),
    (of_clean({"color": "BLEU"}), mistakes.BadChoice, "cannot be 'BLEU'. Did you mean `BLUE`?", "`RED`, `BLUE`"),
    (
        of_clean({"pet": {"kind": "cow"}}),
        mistakes.BadChoice,
        "`revenue.clean.pet.kind` cannot be 'cow'",
        "`cat`, `dog`",
    ),
    (of_clean({"pet": {"barks": 1}}), mistakes.MissingKey, "`revenue.clean.pet.kind`", "cat, dog"),
    (of_clean({"pet": {"kind": "dog", "meows": 1}}), mistakes.UnknownKey, "`revenue.clean.pet.meows`", "`barks`"),
    (of_clean({"sizes": {"a": "b"}}), mistakes.WrongType, "`revenue.clean.sizes.a`", "a whole number"),
    (of_clean({"names": ["a", 2]}), mistakes.WrongType, "`revenue.clean.names[1]` must be text", "int 2"),
    (of_clean({"names": "a"}), mistakes.WrongType, "a list of text", "str 'a'"),
    (of_clean({"either": 1.5}), mistakes.WrongType, "a whole number or text", "float 1.5"),
    (of_clean(3), mistakes.WrongType, "`revenue.clean` must be a dict", "int 3"),
    (of_clean({"token": 3}), mistakes.WrongType, "`revenue.clean.token` must be text", "int"),
    ({"ops": {"revenu": {}}}, mistakes.UnknownNode, "`revenu`", "Did you mean `revenue`?"),
    ({"ops": {"revenue": {"ops": {"clan": {}}}}}, mistakes.UnknownNode, "`revenue.clan`", "`clean`?"),
    ({"ops": {"revenue": {"clean": {}}}}, mistakes.MisplacedKey, "`revenue.clean`", '{"ops": {"clean": …}}'),
    (
        {"ops": {"revenue": {"ops": {"clean": {"threshold": 1}}}}},
        mistakes.MisplacedKey,
        "`revenue.clean.threshold`",
        '{"config": {"threshold": …}}',
    ),
    ({"ops": {"revenue": {"config": {}}}}, mistakes.NotConfigurable, "has no config mapping", '{"ops":'),
    (
        {"ops": {"revenue": {"ops": {"numbers": {"config": 1}}}}},
        mistakes.NotConfigurable,
        "`numbers` takes neither",
        "",
    ),
    ({"revenue": {}}, mistakes.UnknownSection, "no part `revenue`", 'put it under `ops`: `{"ops": {"revenue": …}}`'),
    ({"op": {}}, mistakes.UnknownSection, "no part `op`. Did you mean `ops`?", "`resources`"),
    ({"ops": 3}, mistakes.WrongType, "`ops` must be a dict", "int 3"),
    (3, mistakes.WrongType, "a dict or a RunConfig", "int 3"),
]


@pytest.mark.parametrize(("run_config", "kind", "what", "fix"), WRONG)
def test_mistakes_name_path_place_and_fix(run_config, kind, what, fix):
    """Each mistake is a class of its own; its text has the path of the key, what was expected, and what to do."""
    with pytest.raises(kind) as caught:
        given(run_config)
    assert isinstance(caught.value, InvalidConfigError)
    assert what in str(caught.value)
    assert fix in str(caught.value)


def test_mistakes_come_together_and_before_anything_runs():
    """All mistakes of a configuration are one error, with the line of the Config class; nothing has run."""
    ran = []

    @op
    def first():
        ran.append(1)

    class Needs(Config):
        size: int
        name: str

    @op
    def second(config: Needs, rows):
        return rows

    @graph_asset
    def table():
        return second(first())

    instance = Instance.ephemeral()
    with pytest.raises(mistakes.InvalidConfigsError) as caught:
        materialize([table, revenue], run_config=of_clean({"treshold": 1, "color": 3}), instance=instance)
    kinds = [type(each) for each in caught.value.problems]
    assert kinds == [mistakes.UnknownKey, mistakes.BadChoice, mistakes.MissingKey, mistakes.MissingKey]
    assert "1. `revenue.clean.treshold`" in str(caught.value)
    assert all(each.where.file == __file__ for each in caught.value.problems)
    assert not ran
    assert not instance.get_runs()


def test_a_slip_is_one_mistake():
    """A setting under a wrong name that must be given is told once, as the name that was meant."""

    class Needed(Config):
        threshold: float
        limit: int

    @asset
    def it(config: Needed): ...

    with pytest.raises(mistakes.InvalidConfigsError) as caught:
        materialize([it], run_config={"ops": {"it": {"config": {"treshold": 1}}}})
    assert [type(each).__name__ for each in caught.value.problems] == ["UnknownKey", "MissingKey"]
    assert caught.value.problems[1].path == "it.limit"


def test_what_follows_from_a_mistake_is_not_told():
    """Of an op whose configuration stands in the wrong place, it is not said that it is missing; a validator's error
    is told in its own words."""

    class Even(Config):
        number: int

        @pydantic.field_validator("number")
        @classmethod
        def even(cls, number):
            if number % 2:
                raise ValueError("it must be even")
            return number

    @asset
    def it(config: Even): ...

    with pytest.raises(mistakes.UnknownSection, match="no part `it`"):
        materialize([it], run_config={"it": {"number": 2}})
    with pytest.raises(mistakes.BadValue, match="^`it.number` is not valid: it must be even\n"):
        materialize([it], run_config={"ops": {"it": {"config": {"number": 3}}}})


def test_one_text_is_no_list_of_texts():
    """A text as the whole configuration is one mistake, not one of each letter."""
    with pytest.raises(mistakes.WrongType, match="`run_config` must be a dict, a RunConfig or a list of texts"):
        given("clean.threshold=1")


def test_keys_beside_those_that_may_stand():
    """What stands beside `config` and `ops` is told with what was meant, if it is another name; the fix has it."""
    for entry, what, fix in (
        ({"clean": {}}, "of the graph may stand", '{"ops": {"clean": …}}'),
        ({"claen": {}}, "Did you mean `clean`?", '{"ops": {"clean": …}}'),
        ({"op": {}}, "Did you mean `ops`?", "write it as `ops`"),
        ({"ops": {"clean": {"confg": {}}}}, "Did you mean `config`?", "write it as `config`"),
        ({"ops": {"clean": {"treshold": 1}}}, "Did you mean `threshold`?", '{"config": {"threshold": …}}'),
    ):
        with pytest.raises(mistakes.MisplacedKey) as caught:
            given({"ops": {"revenue": entry}})
        assert caught.value.what.endswith(what)
        assert fix in caught.value.fix


def test_plain_types_and_none_at_all():
    """`config: int`, `config: dict` and a config without an annotation are given what is there."""

    @op
    def plain(config: int):
        return config

    @op
    def loose(config: dict):
        return config

    @op
    def bare(config):
        return config

    @op
    def raw(context):
        return context.op_config

    @job
    def all_of_them():
        plain(), loose(), bare(), raw()

    run = all_of_them.execute_in_process({"ops": {"plain": {"config": 4}, "raw": {"config": [1]}}})
    assert [run.output_for_node(name) for name in ("plain", "loose", "bare", "raw")] == [4, {}, {}, [1]]
    for bad in ({}, {"ops": {"plain": {"config": "4"}}}):
        with pytest.raises(mistakes.WrongType, match="a whole number"):
            all_of_them.execute_in_process(bad)


def test_config_schema_of_python_types():
    """`config_schema` as a dict of types is checked, and `context.op_config` has what was given."""

    @op(config_schema={"limit": int, "tags": [str], "more": {"deep": bool}, "any": {str: int}})
    def schemed(context):
        return context.op_config

    @job
    def it():
        schemed()

    config = {"limit": 1, "tags": ["a"], "more": {"deep": True}, "any": {"x": 1}}
    assert it.execute_in_process({"ops": {"schemed": {"config": config}}}).output_for_node("schemed") == config
    wrong = {"limit": "1", "tags": [1], "more": {"depp": True}, "any": {"x": "y"}, "other": 1}
    with pytest.raises(mistakes.InvalidConfigsError) as caught:
        it.execute_in_process({"ops": {"schemed": {"config": wrong}}})
    paths = sorted(each.path for each in caught.value.problems)
    assert paths == [
        "schemed.any.x", "schemed.limit", "schemed.more.deep", "schemed.more.depp", "schemed.other", "schemed.tags[0]"
    ]  # fmt: skip


def test_op_config_is_plain_data():
    """`context.op_config` is the configuration as a dict, with defaults, beside the object that `config` is."""

    @asset
    def both(context, config: Cleaning):
        return context.op_config["threshold"], config.threshold, context.op_config["deep"]

    run = materialize([both], run_config={"ops": {"both": {"config": {"threshold": 0.1}}}})
    assert run.output_for_node("both") == (0.1, 0.1, {"limit": 3})


def test_permissive_configs_keep_other_keys():
    """A PermissiveConfig takes keys that it does not declare and checks those that it does."""

    class Loose(PermissiveConfig):
        limit: int = 1

    @asset
    def loose(config: Loose):
        return config.limit, config.other

    run_config = {"ops": {"loose": {"config": {"other": [1]}}}}
    assert materialize([loose], run_config=run_config).output_for_node("loose") == (1, [1])
    with pytest.raises(mistakes.WrongType):
        materialize([loose], run_config={"ops": {"loose": {"config": {"limit": "x"}}}})


# -- defaults and mappings --------------------------------------------------------


class Simple(Config):
    strict: bool = False


@config_mapping
def simple(given: Simple):
    return {"clean": {"config": {"threshold": 0.9 if given.strict else 0.1}}}


def test_defaults_are_laid_under_what_is_given():
    """A job's defaults hold where nothing is given, setting by setting; a graph's hold beneath those."""

    @graph_asset(config={"clean": {"config": {"threshold": 0.1, "either": 1, "deep": {"limit": 1}}}})
    def revenue():
        return clean(numbers())

    nightly = define_asset_job("nightly", config=of_clean({"either": 2, "pet": {"kind": "dog"}}))
    defs = Definitions(assets=[revenue], jobs=[nightly])
    run = defs.get_job_def("nightly").execute_in_process(of_clean({"color": "BLUE", "pet": {"kind": "cat"}}))
    config = run.output_for_node("revenue")
    assert (config.threshold, config.either, config.deep.limit) == (0.1, 2, 1)
    assert (config.color, config.pet) == (Color.BLUE, Cat())


def test_mappings_make_the_configuration_of_graphs():
    """A graph asset's mapping takes what stands under its `config`; what is given to its ops besides holds over it."""

    @graph_asset(config=simple)
    def revenue():
        return clean(numbers())

    assert given(None, [revenue]).threshold == 0.1
    assert given({"ops": {"revenue": {"config": {"strict": True}}}}, [revenue]).threshold == 0.9
    both = {"ops": {"revenue": {"config": {"strict": True}, "ops": {"clean": {"config": {"either": 5}}}}}}
    assert (given(both, [revenue]).threshold, given(both, [revenue]).either) == (0.9, 5)
    with pytest.raises(mistakes.UnknownKey, match=r"`revenue.strikt` .* Did you mean `strict`"):
        given({"ops": {"revenue": {"config": {"strikt": True}}}}, [revenue])


def test_every_kind_of_graph_asset_takes_config():
    """Graph multi-assets and assets made of graphs take defaults and mappings as graph assets do."""

    @graph_multi_asset(outs={"cleaned": AssetOut()}, config={"clean": {"config": {"either": 8}}})
    def several():
        return clean(numbers())

    plain = graph(name="plain")(lambda: clean(numbers()))
    of_graph = AssetsDefinition.from_graph(plain, config=simple)
    run = materialize_to_memory([several, of_graph], run_config={"ops": {"plain": {"config": {"strict": True}}}})
    assert run.output_for_node("several.clean").either == 8
    assert run.output_for_node("plain.clean").threshold == 0.9


def test_mappings_make_the_configuration_of_jobs():
    """A job's mapping takes the whole run configuration, and may return a RunConfig; nested graphs' mappings follow."""

    @graph(config=simple)
    def inner():
        return clean(numbers())

    @config_mapping
    def simpler(given: Simple):
        return RunConfig(ops={"inner": Simple(strict=given.strict)})

    @job(config=simpler)
    def outer():
        inner()

    run = outer.execute_in_process({"strict": True})
    assert run.output_for_node("inner.clean").threshold == 0.9
    assert (
        inner.to_job("alone")
        .execute_in_process({"ops": {"config": {"strict": True}}})
        .output_for_node("clean")
        .threshold
        == 0.9
    )
    with pytest.raises(mistakes.WrongType, match=r"`outer.strict`"):
        outer.execute_in_process({"strict": "yes"})


@pytest.mark.parametrize("result", [3, ValueError("no")])
def test_a_mapping_that_fails_is_named(result):
    """A mapping that raises, or returns no configuration, is an error that names it, with the cause."""

    @config_mapping
    def broken(given):
        if isinstance(result, Exception):
            raise result
        return result

    @job(config=broken)
    def it():
        clean(numbers())

    with pytest.raises(mistakes.MappingFailed, match="`it` (raised ValueError: no|returned a int)"):
        it.execute_in_process({})


def test_what_a_mapping_returns_is_its_own_mistake():
    """Configuration that a mapping makes and that does not fit is a mistake of the mapping, with its place; one that
    was given beside it is the caller's; neither comes with others that only follow from it."""

    class Needed(Config):
        threshold: float

    @op
    def cleaned(config: Needed, rows):
        return config.threshold

    for result, what in (
        ({"claened": {"config": {"threshold": 1.0}}}, r"`revenue.claened` .* Did you mean `cleaned`"),
        ({"cleaned": {"config": {"treshold": 1.0}}}, r"`revenue.cleaned.treshold` is no setting"),
    ):
        mapping = ConfigMapping(lambda _: result)
        revenue = graph_asset(name="revenue", config=mapping)(lambda: cleaned(numbers()))
        with pytest.raises(mistakes.MappingMisfits, match=what) as caught:
            given(None, [revenue])
        assert caught.value.where == mapping.source
    fits = graph_asset(name="revenue", config=ConfigMapping(lambda _: {"cleaned": {"config": {"threshold": 1.0}}}))
    revenue = fits(lambda: cleaned(numbers()))
    assert given(None, [revenue]) == 1.0
    with pytest.raises(mistakes.UnknownKey, match=r"`revenue.cleaned.limit`"):
        given({"ops": {"revenue": {"ops": {"cleaned": {"config": {"limit": 1.0}}}}}}, [revenue])

    @job(config=ConfigMapping(lambda _: {"ops": {"claened": {"config": {}}}}))
    def nightly():
        cleaned(numbers())

    with pytest.raises(mistakes.MappingMisfits, match="`nightly` .* Did you mean `cleaned`"):
        nightly.execute_in_process()


def test_validate_run_config():
    """Checking alone gives the configuration of every op, with defaults; or all mistakes."""

    @job
    def it():
        clean(numbers())

    checked = validate_run_config(it, {"ops": {"clean": {"config": {"threshold": 0.2, "token": "abcdef"}}}})
    config = checked["ops"]["clean"]["config"]
    assert (config["threshold"], config["color"], config["token"]) == (0.2, "RED", "**********")
    with pytest.raises(mistakes.UnknownKey):
        validate_run_config(it, {"ops": {"clean": {"config": {"x": 1}}}})


# -- references -------------------------------------------------------------------


class Login(Config):
    user: str = EnvVar("OPGRAPH_TEST_USER")
    port: int
    hosts: list[str] = []


@asset
def logged_in(config: Login):
    return config.user, config.port, config.hosts


def test_references_are_read_when_the_run_begins(monkeypatch):
    """A reference as an EnvVar, as `{"env": NAME}`, in a list and as a default is read as the field's type, and the
    plan has the name only."""
    for name, value in {"USER": "me", "PORT": "80", "HOST": "h"}.items():
        monkeypatch.setenv(f"OPGRAPH_TEST_{name}", value)
    port, host = {"env": "OPGRAPH_TEST_PORT"}, EnvVar("OPGRAPH_TEST_HOST")
    settings = {"port": port, "hosts": [host, "b"]}
    for config in (settings, Login(port=EnvVar.int("OPGRAPH_TEST_PORT"), hosts=[host, "b"])):
        run_config = RunConfig(ops={"logged_in": config if isinstance(config, Login) else {"config": config}})
        run = materialize([logged_in], run_config=run_config)
        assert run.output_for_node("logged_in") == ("me", 80, ["h", "b"])
        assert run.plan.steps[0].config == {
            "user": {"env": "OPGRAPH_TEST_USER"},
            "port": port,
            "hosts": [{"env": "OPGRAPH_TEST_HOST"}, "b"],
        }


def test_a_variable_that_is_missing_or_wrong_stops_the_run(monkeypatch):
    """Variables that are not set, or do not hold what the field takes, are errors before there is a run; what they hold
    is not shown."""
    monkeypatch.setenv("OPGRAPH_TEST_PORT", "eighty-eight")
    instance = Instance.ephemeral()
    run_config = {"ops": {"logged_in": {"config": {"port": {"env": "OPGRAPH_TEST_PORT"}}}}}
    with pytest.raises(mistakes.InvalidConfigsError) as caught:
        materialize([logged_in], run_config=run_config, instance=instance)
    assert {type(each) for each in caught.value.problems} == {EnvVarNotSet, mistakes.VariableMisfits}
    assert "eighty" not in str(caught.value)
    assert "`OPGRAPH_TEST_PORT` does not hold a whole number" in str(caught.value)
    assert not instance.get_runs()


# -- direct calls -----------------------------------------------------------------


def test_direct_calls():
    """An op is called with its Config by position, by name, as a dict, by its context, or without where all settings
    have defaults."""

    @op
    def scaled(context, config: Deep, rows):
        return config.limit * rows, context.op_config

    context = build_op_context(op_config={"limit": 4})
    assert scaled(build_op_context(), Deep(limit=2), 5) == (10, {"limit": 2})
    assert scaled(build_op_context(), rows=5, config=Deep(limit=2)) == (10, {"limit": 2})
    assert scaled(build_op_context(), rows=5, config={"limit": 2}) == (10, {"limit": 2})
    assert scaled(context, 5) == (20, {"limit": 4})
    assert scaled(build_op_context(), rows=5) == (15, {"limit": 3})
    assert asset(lambda config: config, name="a") is not None
    with pytest.raises(InvalidConfigError, match=r"`scaled.limit` must be a whole number"):
        scaled(build_op_context(op_config={"limit": "4"}), 5)
    with pytest.raises(InvalidInvocationError, match="both context and kwargs"):
        scaled(context, rows=5, config=Deep())


def test_direct_calls_of_assets():
    """An asset is called with its configuration as an op is; the ops of a graph asset have the graph's defaults."""

    @asset
    def sized(context, config: Deep):
        return config.limit

    @op
    def seen(context, config: Deep):
        return config.limit, context.op_config["limit"]

    @graph_asset(config={"seen": {"config": {"limit": 9}}})
    def of_graph():
        return seen()

    assert of_graph() == (9, 9)

    assert sized(build_asset_context(asset_config={"limit": 7})) == 7
    assert sized(build_asset_context(), Deep(limit=8)) == 8


# -- going on ---------------------------------------------------------------------


def test_a_resumed_run_is_configured_as_before():
    """Resuming uses the recorded configuration; what is given anew is laid over it, and what it changes runs again."""

    @op
    def size(config: Deep):
        return config.limit

    @op
    def fail(config: Deep, n):
        if config.limit > 3:
            raise ValueError(config.limit)
        return n

    @graph_asset
    def table():
        return fail(size())

    defs = Definitions(assets=[table])
    instance = Instance.ephemeral()
    texts = ["table.size.limit=7", "table.fail.limit=5"]
    first = run_materialize(defs, instance=instance, config=texts)
    again = resume(defs, first.run_id, instance=instance)
    assert not again.success
    assert [step.config for step in again.plan.steps] == [{"limit": 7}, {"limit": 5}]
    third = resume(defs, again.run_id, instance=instance, config=["table.fail.limit=1"])
    assert third.success
    assert [step.decision.do for step in third.plan.steps] == [Do.REUSE, Do.RUN]
    fourth = resume(defs, third.run_id, instance=instance, config=["table.size.limit=2"])
    assert [step.decision.why for step in fourth.plan.steps] == ["config changed", "downstream"]


def test_a_secret_that_was_a_value_must_be_given_again():
    """A run whose secret was given as text cannot go on with the mask that was recorded."""

    @op
    def fail(config: Cleaning):
        raise ValueError

    @graph_asset
    def table():
        return fail()

    defs, instance = Definitions(assets=[table]), Instance.ephemeral()
    first = run_materialize(defs, instance=instance, config=["table.fail.token=abcdefgh"])
    with pytest.raises(mistakes.SecretNotRecorded, match=r"`table.fail.token`"):
        resume(defs, first.run_id, instance=instance)
    assert not resume(defs, first.run_id, instance=instance, config=["table.fail.token=abcdefgh"]).success


# -- flat keys --------------------------------------------------------------------


ROOTS: dict[str, Any] = {"revenue": revenue.node_def, "clean": clean}
TYPED = [
    ("threshold=0.3", {"threshold": 0.3}),
    ("color=BLUE", {"color": "BLUE"}),
    ("deep.limit=5", {"deep": {"limit": 5}}),
    ('deep={"limit": 5}', {"deep": {"limit": 5}}),
    ("pet.kind=dog", {"pet": {"kind": "dog"}}),
    ("pet.barks=2", {"pet": {"barks": 2.0}}),
    ("sizes.a=4", {"sizes": {"a": 4}}),
    ('names=["a", "b"]', {"names": ["a", "b"]}),
    ("names=none", {"names": None}),
    ("either=12", {"either": 12}),
    ("either=twelve", {"either": "twelve"}),
    ("token=a=b", {"token": "a=b"}),
    ('token={"env": "TOKEN"}', {"token": {"env": "TOKEN"}}),
    ("config.threshold=0.3", {"threshold": 0.3}),
]


@pytest.mark.parametrize(("text", "settings"), TYPED)
def test_flat_keys_are_typed_by_the_config(text, settings):
    """A flat key leads to a setting, and its text means what the setting's type says."""
    assert flat([f"revenue.clean.{text}"], ROOTS) == of_clean(settings)
    assert flat([f"ops.revenue.ops.clean.{text}"], ROOTS) == of_clean(settings)


def test_later_texts_hold():
    """Several texts are one configuration, in which the later ones hold; resources stand beside ops."""
    texts = [
        "clean.threshold=0.3",
        "clean.either=1",
        "clean.threshold=0.4",
        "resources.db.host=h",
        "resources.db.port=5",
    ]
    assert flat(texts, ROOTS) == {
        "ops": {"clean": {"config": {"threshold": 0.4, "either": 1}}},
        "resources": {"db": {"config": {"host": "h", "port": 5}}},
    }


FILES = {
    "flat.toml": "[revenue.clean]\nthreshold = 0.3\n",
    "nested.toml": "[ops.revenue.ops.clean.config]\nthreshold = 0.3\n",
    "flat.json": '{"revenue": {"clean": {"threshold": 0.3}}}',
    "mixed.json": '{"ops": {"revenue": {"clean": {"config": {"threshold": 0.3}}}}}',
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_flat_or_nested(name, tmp_path):
    """A file says the same in either form."""
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    assert flat([f"@{tmp_path / name}"], ROOTS) == of_clean({"threshold": 0.3})


class Cloud(Config):
    kind: Literal["cloud"] = "cloud"
    bucket: str
    tries: int = 1


class Folder(Config):
    kind: Literal["folder"] = "folder"
    path: str
    tries: int = 2


class Rows(Config):
    rows: int
    skip: int = 0


class Share(Config):
    share: float


class Kept(Config):
    store: Cloud | Folder = pydantic.Field(discriminator="kind")
    part: Rows | Share = Rows(rows=1)


@op
def keep(config: Kept):
    return config


@graph
def keeping():
    keep()


CLOUD = {"store": {"kind": "cloud", "bucket": "b", "tries": 9}, "part": {"rows": 3, "skip": 1}}


@pytest.mark.parametrize(
    ("texts", "store", "part"),
    [
        ([], Cloud(bucket="b", tries=9), Rows(rows=3, skip=1)),
        (["store.bucket=c", "part.skip=2"], Cloud(bucket="c", tries=9), Rows(rows=3, skip=2)),
        (["store.kind=folder", "store.path=p", "part.share=1"], Folder(path="p", tries=9), Share(share=1)),
        (["store.path=p", "store.kind=folder"], Folder(path="p", tries=9), Rows(rows=3, skip=1)),
        (["store.folder.path=p", "store.folder.tries=4"], Folder(path="p", tries=4), Rows(rows=3, skip=1)),
        (['store.folder={"path": "p"}'], Folder(path="p", tries=9), Rows(rows=3, skip=1)),
        (['store={"kind": "folder", "path": "p"}'], Folder(path="p"), Rows(rows=3, skip=1)),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_union_is_switched_by_later_texts(texts, store, part, wrapped, tmp_path):
    """Settings of one Config class of a union, in a file or among the defaults, give way to those of another that come
    later; what the two have in common holds."""
    file = tmp_path / "config.json"
    earlier = {**CLOUD, "store": {"cloud": {"bucket": "b", "tries": 9}}} if wrapped else CLOUD
    file.write_text(json.dumps({"keep": earlier}))
    of_file = keeping.to_job()
    texts = [f"keep.{text}" for text in texts]
    run = of_file.execute_in_process([f"@{file}", *texts])
    assert run.output_for_node("keep") == Kept(store=store, part=part)
    if not any("={" in text for text in texts):
        of_defaults = keeping.to_job(config={"ops": {"keep": {"config": earlier}}})
        run = of_defaults.execute_in_process(texts)
        assert run.output_for_node("keep") == Kept(store=store, part=part)


def test_a_union_is_not_switched_by_a_slip(tmp_path):
    """Where a tag says which member it is, a setting of another one is a mistake; an unknown one is, too."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"keep": CLOUD}))
    it = keeping.to_job()
    for text in ("store.path=p", "store.buckt=c", "part.shar=1"):
        with pytest.raises(mistakes.UnknownKey, match=text.partition("=")[0]):
            it.execute_in_process([f"@{file}", f"keep.{text}"])


def test_keys_of_a_mapping_are_its_settings():
    """Where a graph or job has a mapping, flat keys name what the mapping takes."""
    mapped = graph(name="g", config=simple)(lambda: clean(numbers()))
    assert flat(["g.strict=yes"], {"g": mapped}) == {"ops": {"g": {"config": {"strict": True}}}}
    assert flat(["g.clean.threshold=1"], {"g": mapped}) == {
        "ops": {"g": {"ops": {"clean": {"config": {"threshold": 1.0}}}}}
    }
    assert flat(["strict=no"], {}, takes=Simple) == {"strict": False}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("revenue.clean.threshold", "it is no `key=value`"),
        ("=1", "it is no `key=value`"),
        ("revenue..x=1", "it is no `key=value`"),
        ("revenu.clean.threshold=1", "Did you mean `revenue`?"),
        ("revenue=1", "the key ends at a graph"),
        ("@missing.toml", "no such file"),
    ],
)
def test_texts_that_cannot_be_read(text, what):
    """A text that leads nowhere is an error that says why."""
    with pytest.raises(mistakes.BadConfigText) as caught:
        flat([text], ROOTS)
    assert what in str(caught.value)


def test_a_key_that_leads_nowhere_is_told_without_its_value():
    """What was typed after the key may be a secret."""
    with pytest.raises(mistakes.BadConfigText) as caught:
        flat(["revenu.clean.password=hunter2"], ROOTS)
    assert "hunter2" not in str(caught.value)


def test_a_text_of_another_type_is_one_mistake():
    """A value that is not of the setting's type is said once, with the place where that is declared."""

    class Strict(Config):
        threshold: float

    @asset
    def it(config: Strict): ...

    with pytest.raises(InvalidConfigError) as caught:
        run_materialize(Definitions(assets=[it]), instance=Instance.ephemeral(), config=["it.threshold=x"])
    assert str(caught.value).startswith("`it.threshold` must be a number, not the str 'x'\n  at ")
    assert "test_config.py" in str(caught.value)


def test_text_of_the_command_line_is_called_a_str():
    """What a mistake says of a text is the same wherever the text came from."""
    given = flat(["resources.db.port=x"], ROOTS)["resources"]["db"]["config"]["port"]
    assert "not the str 'x'" in str(mistakes.WrongType("resources.db.config.port", "a whole number", given, None))


@pytest.mark.parametrize(("name", "text"), [("a.toml", "x = "), ("a.json", "{"), ("b.json", "[1]"), ("b.toml", "\xff")])
def test_files_that_cannot_be_read(name, text, tmp_path):
    """A damaged file is an error that names it."""
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(mistakes.BadConfigText, match=name):
        flat([f"@{tmp_path / name}"], ROOTS)


def test_inputs_are_given_by_step():
    """An input that nothing is wired to may have its value in the run configuration, under its op or the job's name."""

    @op
    def added(a, b):
        return a + b

    @job
    def it(b):
        added(b=b, a=numbers.alias("lists")())

    @op(ins={"a": In(asset_key=AssetKey("elsewhere"))})
    def read(a, b=2):
        return a + b

    @job
    def alone():
        read()

    assert it.execute_in_process({"inputs": {"b": {"value": [1]}}}).output_for_node("added") == [0.1, 0.4, 0.7, 1]
    given_here = {"ops": {"read": {"inputs": {"a": 1, "b": {"value": 5}}}}}
    assert alone.execute_in_process(given_here).output_for_node("read") == 6
    with pytest.raises(mistakes.UnknownKey, match=r"`read.c`"):
        alone.execute_in_process({"ops": {"read": {"inputs": {"a": 1, "c": 3}}}})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (list[int], "a list of whole numbers"),
        (set[str], "a list of texts"),
        (list[list[float]], "a list, each item a list of numbers"),
        (list[Any], "a list"),
        ([bool], "a list of true or false"),
        (list[Literal["a", "b"]], "a list, each item one of a, b"),
        (tuple[dict[str, int], ...], "a list of dicts"),
    ],
)
def test_words_for_lists(kind, said):
    """A list is told with what is in it, in the plural."""
    fitting = Fitting()
    fitting.fit(3, kind, "it.rows")
    assert fitting.problems[0].what == f"`it.rows` must be {said}, not the int 3"


def test_a_reference_that_is_not_set_has_its_place():
    """A variable that is not set is told with the line of its reference, also of a default; one that was given as a
    dict, or was recorded, has no line."""

    class Ported(Config):
        host: str = EnvVar("OPGRAPH_NOT_SET_A")
        ports: list[int] = []

    @asset
    def served(config: Ported): ...

    line = sys._getframe().f_lineno + 1
    given = {"ports": [EnvVar.int("OPGRAPH_NOT_SET_B"), {"env": "OPGRAPH_NOT_SET_C"}]}
    with pytest.raises(mistakes.InvalidConfigsError) as caught:
        materialize([served], run_config={"ops": {"served": {"config": given}}}, instance=Instance.ephemeral())
    found = {each.name: each.where for each in caught.value.problems}
    assert found["OPGRAPH_NOT_SET_A"] == Source(__file__, line - 7)
    assert found["OPGRAPH_NOT_SET_B"] == Source(__file__, line)
    assert found["OPGRAPH_NOT_SET_C"] is None
    assert pickle.loads(pickle.dumps(EnvVar("A"))).source is None


class Bus(Config):
    kind: Literal["bus", "coach"] = "bus"
    seats: int = 40


class Boat(Config):
    kind: Literal["boat"] = "boat"
    sails: int = 1


class Fleet(Config):
    all: list[Annotated[Bus | Boat, pydantic.Field(discriminator="kind")]]


@asset
def moving(config: Fleet):
    return [type(each).__name__ for each in config.all]


def test_members_of_a_union_inside_a_list_are_told_apart_by_their_field():
    """As a field of its own is: what has another tag, or none, is told with all the tags there are."""
    given = {"ops": {"moving": {"config": {"all": [{"kind": "coach", "seats": 3}, {"kind": "boat"}]}}}}
    assert materialize([moving], run_config=given).output_for_node("moving") == ["Bus", "Boat"]
    given["ops"]["moving"]["config"]["all"] = [{"kind": "boot"}, {"seats": 4}, {"kind": "boat", "seats": 4}]
    with pytest.raises(mistakes.InvalidConfigsError) as caught:
        materialize([moving], run_config=given)
    said = [each.what for each in caught.value.problems]
    assert said == [
        "`moving.all[0].kind` cannot be 'boot'. Did you mean `boat`?",
        "`moving.all[1].kind` (one of bus, coach, boat) is not given and has no default",
        "`moving.all[2].seats` is no setting of moving.all[2]",
    ]
