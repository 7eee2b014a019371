"""Config classes, references to environment variables, run configurations and config mappings, as they are declared."""

import enum
import linecache
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import pydantic
import pytest

from opgraph.declare.assets.asset import asset
from opgraph.declare.graphs.config_mapping import ConfigMapping, MappingSaysTwice, MappingTakesOne, config_mapping
from opgraph.declare.graphs.graph import graph
from opgraph.declare.mistakes import WrongType
from opgraph.declare.ops.op import ConfigOfOtherClass, op
from opgraph.declare.project.job import define_asset_job, job
from opgraph.declare.settings.config import BadFields, Config, PermissiveConfig
from opgraph.declare.settings.env import EnvVar, EnvVarUsedTooEarly
from opgraph.declare.settings.run_config import RunConfig
from opgraph.errors import InvalidConfigError


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Inner(Config):
    limit: int = 3
    note: str | None


class Outer(Config):
    inner: Inner = Inner()
    color: Color = Color.RED
    names: list[str] = []
    token: pydantic.SecretStr = pydantic.SecretStr("quiet please")


@op
def counted(config: Inner):
    return config.limit


def body():
    return counted()


def test_a_setting_that_may_be_none_may_be_left_out():
    """`X | None` without a default is None when it is not given."""
    assert Inner().note is None
    assert Inner(note="a").note == "a"


def test_configs_are_read_only_and_closed():
    """A Config cannot be changed, and refuses keys that it does not have; a PermissiveConfig keeps them."""
    with pytest.raises(pydantic.ValidationError):
        Inner().limit = 5
    with pytest.raises(pydantic.ValidationError):
        Inner(limt=5)
    assert PermissiveConfig(anything=5).anything == 5


def test_a_config_knows_where_it_was_written():
    """The class keeps the file and line of its `class` statement, for messages."""
    source = Outer.__opgraph_source__
    assert source is not None
    assert source.file == __file__
    assert "class Outer" in linecache.getline(__file__, source.line)


def test_fields_take_references():
    """An EnvVar passes for a value of any field, as a default and inside a list too; other values stay checked."""

    class Given(Config):
        text: str
        number: int = EnvVar.int("NUMBER")
        several: list[str] = []

    given = Given(text=EnvVar("TEXT"), several=["a", EnvVar("B")])
    assert repr(given) == 'Given(text=EnvVar("TEXT"), number=IntEnvVar("NUMBER"), several=[\'a\', EnvVar("B")])'
    with pytest.raises(pydantic.ValidationError):
        Given(text=EnvVar("TEXT"), number="many")


def test_members_of_a_union_are_told_apart():
    """A union whose members have a field that says which of them it is works as in pydantic."""

    class Cat(Config):
        kind: Literal["cat"] = "cat"

    class Dog(Config):
        kind: Literal["dog"] = "dog"
        barks: int

    class Owner(Config):
        pet: Cat | Dog = pydantic.Field(discriminator="kind")

    assert Owner(pet={"kind": "dog", "barks": 2}).pet == Dog(barks=2)


@pytest.mark.parametrize("use", [str, "{}".format, print, lambda value: f"{value}"])
@pytest.mark.parametrize("reference", [EnvVar("A"), EnvVar.int("A")], ids=["text", "number"])
def test_a_reference_is_no_value(reference, use):
    """Using a reference as if it were the value is an error, which is a RuntimeError too; reading it is `get_value`."""
    with pytest.raises(EnvVarUsedTooEarly, match='EnvVar\\("A"\\)') as caught:
        use(reference)
    assert isinstance(caught.value, RuntimeError)
    with pytest.raises(EnvVarUsedTooEarly):
        int(EnvVar.int("A"))


def test_references_are_read_on_request(monkeypatch):
    """`get_value` reads the variable, or gives the default; a number that is none is an error without the value."""
    monkeypatch.setenv("OPGRAPH_TEST", "12")
    assert EnvVar("OPGRAPH_TEST").get_value() == "12"
    assert EnvVar.int("OPGRAPH_TEST").get_value() == 12
    assert EnvVar("OPGRAPH_TEST_NOT").get_value() is None
    assert EnvVar.int("OPGRAPH_TEST_NOT").get_value(default=4) == 4
    monkeypatch.setenv("OPGRAPH_TEST", "twelve things")
    with pytest.raises(InvalidConfigError) as caught:
        EnvVar.int("OPGRAPH_TEST").get_value()
    assert "twelve" not in str(caught.value)


@pytest.mark.parametrize("reference", [EnvVar("A"), EnvVar.int("A")], ids=["text", "number"])
def test_references_travel(reference):
    """A reference is equal to its copy from another process."""
    assert pickle.loads(pickle.dumps(reference)) == reference
    assert reference != "B"


def test_run_config_as_data():
    """Config objects become `config` dicts at any depth; enums go by name, references by variable, secrets are masked,
    and what is None anyway is left out."""
    given = RunConfig(
        ops={"one": Outer(names=["a"], inner=Inner(note=EnvVar("NOTE"))), "graph": {"ops": {"two": Inner()}}},
        resources={"db": {"config": {"host": "h"}}},
        execution={"config": {}},
    )
    assert given.to_config_dict() == {
        "ops": {
            "one": {
                "config": {
                    "inner": {"limit": 3, "note": {"env": "NOTE"}},
                    "color": "RED",
                    "names": ["a"],
                    "token": "**********",
                }
            },
            "graph": {"ops": {"two": {"config": {"limit": 3}}}},
        },
        "resources": {"db": {"config": {"host": "h"}}},
        "execution": {"config": {}},
    }
    assert RunConfig(ops={"a": Inner()}) == RunConfig(ops={"a": Inner()}) != RunConfig()


def test_what_an_op_takes():
    """The annotation of `config` says what it takes, as text and of a local class too; else `config_schema`."""

    class Local(Config):
        x: int

    @op
    def quoted(config: "Local"):
        return config

    @op
    def plain(config: int):
        return config

    @op(config_schema={"limit": int})
    def schemed(context):
        return context.op_config

    assert quoted.config_type is Local
    assert plain.config_type is int
    assert schemed.config_type == {"limit": int}
    assert not quoted.ins
    assert [each.takes_config for each in (quoted, plain, schemed)] == [True] * 3


def test_mappings_take_one_argument():
    """A config mapping is made of a function of one argument, whose annotation says what it takes."""

    @config_mapping
    def simple(given: Inner):
        return {"counted": {"config": {"limit": given.limit}}}

    assert simple.takes is Inner
    assert config_mapping(config_schema={"a": int})(lambda given: given).takes == {"a": int}
    with pytest.raises(MappingTakesOne, match="takes 2 arguments"):
        ConfigMapping(lambda one, two: {})
    with pytest.raises(MappingSaysTwice, match="config_schema"):

        @config_mapping(config_schema={"limit": int})
        def twice(given: Inner):
            return {}


@pytest.mark.parametrize(
    "declare",
    [
        lambda config: graph(config=config, name="whole")(body),
        lambda config: job(config=config, name="nightly")(body),
        lambda config: define_asset_job("nightly", config=config),
    ],
)
def test_config_of_another_kind_is_refused(declare):
    """`config=` of a graph or job takes a dict, a RunConfig or a mapping, and nothing else."""
    with pytest.raises(WrongType, match="`config` of"):
        declare(3)


def test_pydantic_is_imported_by_who_uses_it():
    """Importing opgraph and running ops without a Config does not import pydantic."""
    program = """
import sys, opgraph
@opgraph.op
def one(): return 1
@opgraph.graph_asset
def whole(): return one()
assert opgraph.materialize([whole]).success
print("pydantic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", done.stderr


def test_what_does_not_fit_is_told_with_its_place():
    """Pydantic's error of a wrong field has ours as its cause, with the line that made the object; checking data that
    comes from elsewhere has not."""
    with pytest.raises(pydantic.ValidationError) as caught:
        Inner(limt=5)
    cause = caught.value.__cause__
    assert isinstance(cause, BadFields)
    assert cause.fields == {"limt": "it has no such field; did you mean `limit`?"}
    assert cause.where is not None
    assert cause.where.file == __file__
    assert "Inner(limt=5)" in linecache.getline(__file__, cause.where.line)
    with pytest.raises(pydantic.ValidationError) as caught:
        Inner.model_validate({"limt": 5})
    assert caught.value.__cause__ is None


def test_what_config_may_be_annotated_with():
    """A class of fields that is no `Config`, such as a dataclass, is a mistake; what configuration can be is none."""

    class Plain:
        most: int

    class Told(TypedDict):
        most: int

    @dataclass
    class Data:
        most: int

    class Model(pydantic.BaseModel):
        most: int

    def annotated(kind):
        def it(config): ...

        it.__annotations__["config"] = kind
        return it

    for kind in (Plain, Data):
        with pytest.raises(ConfigOfOtherClass, match=f"`config` of asset `it` is annotated as `{kind.__name__}`"):
            asset(annotated(kind))
    for kind in (Told, Model, Color, int, dict, dict[str, int], list[int], Path, int | None, "Later", Any):
        asset(annotated(kind))


def test_fields_of_other_names():
    """A field that is left out has its default, and one that is given what is given, under whatever name."""

    class Named(Config):
        place: Path = pydantic.Field(default="here", validation_alias="folder")
        color: Color = pydantic.Field(
            default="RED", validation_alias=pydantic.AliasChoices("colour", pydantic.AliasPath("paint", "color"))
        )
        note: str | None = pydantic.Field(validation_alias="remark")

    left_out = Named()
    assert (left_out.place, left_out.color, left_out.note) == (Path("here"), Color.RED, None)
    assert Named(folder="there").place == Named(place="there").place == Path("there")
    assert Named(remark="so").note == "so"
    assert Named(colour=Color.BLUE).color is Named(paint={"color": Color.BLUE}).color is Color.BLUE
