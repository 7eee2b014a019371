"""The public names: those of names.txt, no fewer, and each either works or says that it is not built yet."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import opgraph
from opgraph.errors import Error, NotYetSupportedError
from opgraph.not_planned import INSTEAD
from opgraph.not_yet import NOT_YET, NOT_YET_RAISED, Placeholder

ROOT = Path(__file__).parent.parent
LINES = (Path(__file__).parent / "names.txt").read_text(encoding="utf-8").splitlines()
WORK = dict(line.split() for line in LINES if line and not line.startswith("#"))
LATER = {*NOT_YET, *NOT_YET_RAISED}
CORE = sorted(name for name, work in WORK.items() if work == "core")


def subclass(base):
    class Sub(base): ...

    return Sub


USES = {
    "called": lambda name: name(),
    "called with arguments": lambda name: name(1, key="value"),
    "used as a decorator": lambda name: name(lambda: None),
    "subclassed": subclass,
    "asked for an attribute": lambda name: name.attribute,
    "subscripted": lambda name: name[int],
    "in a union": lambda name: name | None,
    "given to isinstance": lambda name: isinstance(1, name),
}


@pytest.mark.parametrize("name", CORE)
def test_core_names_work(name):
    """Every core name is imported from its room and is no placeholder."""
    assert name not in LATER
    assert not isinstance(getattr(opgraph, name), Placeholder)


def test_every_name_is_built_or_listed():
    """The names of names.txt are exactly those that have a home and those listed as not yet built."""
    assert set(WORK) == set(opgraph._MODULE_OF) | LATER
    assert not set(opgraph._MODULE_OF) & LATER


@pytest.mark.parametrize("name", sorted(NOT_YET))
def test_later_names_refuse_every_use(name):
    """A name that is not built yet is importable, and each use of it raises an error with its name and what to do."""
    value = getattr(opgraph, name)
    for use in USES.values():
        with pytest.raises(NotYetSupportedError, match=rf"\b{name}\b") as caught:
            use(value)
        assert NOT_YET[name] in str(caught.value)


@pytest.mark.parametrize("name", sorted(NOT_YET_RAISED))
def test_later_errors_can_be_caught(name):
    """An error that nothing raises yet may stand in `except`; making one says that it is not built yet."""
    value = getattr(opgraph, name)
    assert issubclass(value, Error)
    with pytest.raises(NotYetSupportedError, match=name):
        value("message")


@pytest.mark.parametrize("alias", sorted(opgraph._ALIASES))
def test_prefixed_names_are_the_same_objects(alias):
    """`DagsterX` is `X`, so changing the import is enough."""
    assert getattr(opgraph, alias) is getattr(opgraph, alias.removeprefix("Dagster"))


def test_unknown_names_are_attribute_errors():
    """A name that does not exist is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'assset'"):
        opgraph.assset


def test_names_that_opgraph_does_without_say_what_to_write():
    """A name of Dagster's older ways is an ImportError where it is imported, with what to write instead."""
    with pytest.raises(ImportError, match=r"without `Field`\n  at .*test_names.py:\d+\n  fix: .*`Config` class"):
        exec(compile("from opgraph import asset, Field", __file__, "exec"))  # noqa: S102
    assert not set(INSTEAD) & (set(WORK) | set(opgraph._ALIASES))


def test_names_that_opgraph_does_without_are_not_there():
    """A program may ask for them: `hasattr` says no, and what uses one is an AttributeError with what to write."""
    assert not hasattr(opgraph, "Field")
    assert getattr(opgraph, "repository", None) is None
    with pytest.raises(AttributeError, match=r"without `Field`\n  at .*test_names.py:\d+\n  fix: .*`Config` class"):
        opgraph.Field(str)


def test_names_of_plain_types_are_these():
    """`String` and the like, which older projects have in `config_schema`, are Python's own types."""
    assert (opgraph.String, opgraph.Int, opgraph.Float, opgraph.Bool) == (str, int, float, bool)


def test_stub_says_what_the_package_says():
    """`__init__.pyi` is what tools/write_stub.py writes from the table of names."""
    spec = importlib.util.spec_from_file_location("write_stub", ROOT / "tools" / "write_stub.py")
    write_stub = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write_stub)
    assert write_stub.STUB.read_text(encoding="utf-8") == write_stub.stub(), "run: .venv/bin/python tools/write_stub.py"


def test_import_is_light():
    """`import opgraph` imports none of the libraries that only some commands need."""
    code = "import sys, opgraph; print(' '.join(sys.modules))"
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=unmeasured)
    loaded = done.stdout.split()
    assert not {"pydantic", "rich", "click", "fastapi", "pandas", "msgspec", "sqlite3"} & set(loaded)


def test_version_is_the_distribution_s():
    """`opgraph.__version__` and pyproject.toml agree."""
    declared = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert opgraph.__version__ == declared[1]
