"""Hashes of code: what changes them, and what does not."""

import sys
import types

import msgspec
import pytest

from opgraph.plan.code import function_hash, hash_of
from opgraph.plan.model import Decision, Do, FromStep, Step, StepInput

BODY = '''
LIMIT = 10

def helper(x):
    return x + 1

def other(x):
    return x - 1

def work(x, y=3):
    """What it does."""
    items = [helper(each) for each in x]
    return items, LIMIT, None
'''


@pytest.fixture
def hashed():
    """The hash of a function in a module of this text."""
    made = []

    def of(text, name="work", module="one_package.steps"):
        space = types.ModuleType(module)
        exec(compile(text, f"{module}.py", "exec"), space.__dict__)
        made.append(space)
        return function_hash(getattr(space, name))

    return of


def test_the_same_text_has_the_same_hash(hashed):
    """A hash depends on nothing but the code: 32 hexadecimal digits, the same each time."""
    assert hashed(BODY) == hashed(BODY)
    assert len(hashed(BODY)) == 32
    int(hashed(BODY), 16)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def work", "\n\n\n# a comment\ndef work"),
        ("    items =", "    # say why\n    items ="),
        ('"""What it does."""', '"""Something else."""'),
        ('    """What it does."""\n', ""),
        ("def other(x):\n    return x - 1", "def other(x):\n    return x - 2"),
        ("def helper(x):\n", 'def helper(x):\n    """Adds one."""\n'),
    ],
)
def test_what_changes_nothing(hashed, old, new):
    """Moving code, comments, docstrings (edited, added, taken away) and functions that are not used change nothing."""
    assert old in BODY
    assert hashed(BODY.replace(old, new)) == hashed(BODY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return items, LIMIT", "return items, -LIMIT"),
        ("y=3", "y=4"),
        ("y=3", "*, y=3"),
        ("LIMIT = 10", "LIMIT = 11"),
        ("return x + 1", "return x + 2"),
        ("[helper(each) for each in x]", "[helper(each + 1) for each in x]"),
        ("helper(each)", "other(each)"),
        ("return items, LIMIT, None", "return items, LIMIT, ''"),
        ("return items, LIMIT, None", "return 'What it does.'"),
    ],
)
def test_what_changes_the_hash(hashed, old, new):
    """The body, inner functions, defaults, constants it names, and helpers of the same package that it calls count."""
    assert old in BODY
    assert hashed(BODY.replace(old, new)) != hashed(BODY)


def test_helpers_to_any_depth_and_in_circles(hashed):
    """Helpers of helpers count, and functions that call each other end."""
    text = """
def work(x): return near(x)
def near(x): return far(x) if x else work(x)
def far(x): return x + 1
"""
    assert hashed(text) != hashed(text.replace("x + 1", "x + 2"))


def test_other_packages_do_not_count(hashed, monkeypatch):
    """A function of another package is a library: editing it changes nothing."""
    library = types.ModuleType("some_library")
    monkeypatch.setitem(sys.modules, "some_library", library)
    text = "from some_library import read\ndef work(x): return read(x)"
    hashes = set()
    for value in (1, 2):
        exec(f"def read(x): return {value}", library.__dict__)
        hashes.add(hashed(text))
    assert len(hashes) == 1


def test_what_a_function_closes_over(hashed):
    """Constants and functions of the surrounding function count, objects only by being there."""
    text = """
def make(n, helper):
    def work(x): return helper(x) + n
    return work
def plus(x): return x + 1
work = make(1, plus)
"""
    assert hashed(text) != hashed(text.replace("make(1", "make(2"))
    assert hashed(text) != hashed(text.replace("x + 1", "x + 3"))
    homeless = text.replace("work = make(1", "plus.__module__ = None\nwork = make(1")
    assert hashed(homeless) != hashed(homeless.replace("x + 1", "x + 3"))
    growing = "seen = []\ndef work(x): return seen\nseen.append(0)"
    assert hashed(growing) == hashed(growing.replace("append(0)", "append(1)"))


def test_decorators_are_looked_through(hashed):
    """Of a wrapped function the user's own counts."""
    text = """
import functools
def log(fn):
    @functools.wraps(fn)
    def inner(*a): return fn(*a)
    return inner
@log
def work(x): return x
"""
    assert hashed(text) != hashed(text.replace("return x\n", "return -x\n"))


def test_many_constants(hashed):
    """A function with more constants than a byte can number is told from one with one of them changed."""
    values = "\n".join(f"    x += {1000 + i}" for i in range(400))
    text = f"def work(x):\n{values}\n    return x"
    assert hashed(text) == hashed(f'def work(x):\n    "Adds."\n{values}\n    return x')
    assert hashed(text) != hashed(text.replace("1399", "1400"))


def test_the_hash_of_steps():
    """The hash of all steps covers the code of each and how they are wired: any change in one of them is seen."""

    def steps(**changes):
        first = Step("a", "a", "a", (), (), Decision(Do.RUN, "selected"), code="1")
        second = Step("b", "b", "b", (StepInput("x", FromStep(0, "result")),), (), Decision(Do.RUN, "needed"), code="2")
        return [first, msgspec.structs.replace(second, **changes)]

    assert hash_of(steps()) == hash_of(steps())
    other = {
        hash_of(steps(code="3")),
        hash_of(steps(key="c")),
        hash_of(steps(inputs=(StepInput("x", FromStep(0, "other")),))),
        hash_of(steps(inputs=())),
        hash_of(steps(after=(FromStep(0, "result"),))),
        hash_of(steps()[:1]),
        hash_of(steps()),
    }
    assert len(other) == 7


def test_what_a_function_takes_of_opgraph_is_a_library(monkeypatch):
    """A class of opgraph that an inner function uses is no part of its code, whatever has become of it in a process."""
    from opgraph import AssetMaterialization

    def made():
        return lambda: AssetMaterialization("orders")

    before = function_hash(made())
    monkeypatch.setattr(AssetMaterialization, "file", staticmethod(lambda: None))
    function_hash.cache_clear()
    assert function_hash(made()) == before
