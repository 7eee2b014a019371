"""Hashes of code: what changes them, and what does not."""

import importlib
import sys
import types

import msgspec
import pytest

from opgraph.plan.code import function_hash, hash_of, imported_hash
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


def test_decorators(hashed):
    """Of a wrapped function the user's own counts, and every decorator of the project on the way to it."""
    text = """
import functools
def log(fn):
    @functools.wraps(fn)
    def inner(*a): return fn(*a)
    return inner
def times(n):
    def wrap(fn):
        @functools.wraps(fn)
        def inner(*a): return fn(*a) * n
        return inner
    return wrap
@log
@times(2)
def work(x): return near(x)
@times(3)
def near(x): return x
"""
    edits = [("return x\n", "return -x\n"), ("fn(*a)\n", "-fn(*a)\n"), ("* n", "+ n"), ("(2)", "(4)"), ("(3)", "(5)")]
    found = {hashed(text), *[hashed(text.replace(old, new)) for old, new in edits]}
    assert len(found) == 6


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
    assert function_hash(made()) == before


PROJECT = {
    "definitions.py": """
import pkg.settings, pkg.tables as T
from pkg import settings as D
from pkg.kinds import Color, Shape, Base, half, both, scale
import reading

def by_module(): return D.RATE
def by_text(x): return f"{x:{T.WIDTH}}"
def by_path(): return pkg.settings.RATE
def by_parts():
    def inner(): return reading.SEP
    return inner()
def by_closure(module):
    def inner(): return module.RATE
    return inner
closed = by_closure(D)
def by_enum(): return Color.RED.value
def by_member(color=Color.RED): return color.value
def by_shape(): return Shape.ROUND
def by_partial(): return half(1)
def by_partial_of_module(): return T.third(1)
def by_tuple(): return both[0](2)
def by_default(x, scaled=scale): return scaled(x)
def by_base(): return Own().size
class Own(reading.Base):
    class Inner:
        DEPTH = 1
    @functools.cached_property
    def area(self): return 9
def local():
    from pkg.lazy import lazy
    return lazy()
def local_module():
    from pkg import lazy
    return lazy.LIMIT
def local_dotted():
    import pkg.lazy as other
    return other.Kind.BIG.value
def local_relative():
    def inner():
        from reading import deep as d
        return d()
    return inner()
def local_partial():
    from pkg.lazy import part
    return part()
def local_star():
    from pkg.lazy import starred
    return starred()
def local_text():
    from pkg.lazy import told
    return told()
def local_library():
    import json, os.path, msgspec
    from xml.dom import minidom
    return json.dumps(1), minidom
""".replace("class Own", "import functools\nclass Own"),
    "reading.py": """
SEP = ","
class Base:
    size = 4
def deep():
    from pkg.lazy import deeper
    return deeper()
""",
    "pkg/__init__.py": "",
    "pkg/settings.py": 'RATE = 2\n"""Said."""\n',
    "pkg/tables.py": """
import functools
from pkg.kinds import scale
WIDTH = 12
third = functools.partial(scale, k=3)
""",
    "pkg/kinds.py": """
import enum, functools
class Color(enum.Enum):
    RED = 21
class Shape(enum.StrEnum):
    ROUND = "round"
class Base: pass
def scale(x, k=1): return x * k * 5
half = functools.partial(scale, k=0.5)
both = (scale, half)
""",
    "pkg/lazy.py": '''
"""What is imported late."""
from .stars import *
import enum, functools
LIMIT = 31
class Kind(enum.Enum):
    BIG = 32
def lazy():
    """Lazy."""
    return unused and near()
def near(): return 33
def deeper():
    from . import deepest
    return deepest.GROUND
part = functools.partial(near, 34)
unused = 1
def told():
    """Told."""
    return 35
def not_used(): return 36
raise AssertionError("was imported")
''',
    "pkg/deepest.py": "try:\n    GROUND = 41\nexcept ValueError:\n    GROUND = None\n",
    "pkg/stars.py": "def starred(): return 51\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The hash of a function of `PROJECT`, with one text of it replaced, as a new process would find it."""
    made = []

    def of(name, old="", new="", **loaded):
        made.append(root := tmp_path / f"{len(made)}")
        for path, text in PROJECT.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace(old, new) if old else text)
        assert not old or any(old in text for text in PROJECT.values())
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(root))
            for each in [each for each in sys.modules if each.partition(".")[0] in ("pkg", "reading", "definitions")]:
                del sys.modules[each]
            definitions = importlib.import_module("definitions")
            for module, values in loaded.items():
                other = types.ModuleType(f"pkg.{module}")
                vars(other).update(values)
                monkeypatch.setitem(sys.modules, f"pkg.{module}", other)
                setattr(sys.modules["pkg"], module, other)
            return function_hash(getattr(definitions, name))

    yield of
    for each in [each for each in sys.modules if each.partition(".")[0] in ("pkg", "reading", "definitions")]:
        del sys.modules[each]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("by_module", "RATE = 2", "RATE = 3"),
        ("by_text", "WIDTH = 12", "WIDTH = 13"),
        ("by_path", "RATE = 2", "RATE = 3"),
        ("by_parts", 'SEP = ","', 'SEP = ";"'),
        ("closed", "RATE = 2", "RATE = 3"),
        ("by_enum", "RED = 21", "RED = 22"),
        ("by_enum", "RED = 21", "RED = 21\n    BLUE = 22"),
        ("by_member", "RED = 21", "RED = 22"),
        ("by_shape", '"round"', '"oval"'),
        ("by_partial", "k=0.5", "k=0.25"),
        ("by_partial", "x * k * 5", "x * k * 6"),
        ("by_partial_of_module", "k=3", "k=4"),
        ("by_partial_of_module", "x * k * 5", "x * k * 6"),
        ("by_tuple", "x * k * 5", "x * k * 6"),
        ("by_default", "x * k * 5", "x * k * 6"),
        ("by_base", "size = 4", "size = 5"),
        ("by_base", "DEPTH = 1", "DEPTH = 2"),
        ("by_base", "return 9", "return 10"),
        ("local", "return 33", "return 34"),
        ("local", "unused = 1", "unused = 2"),
        ("local_module", "LIMIT = 31", "LIMIT = 32"),
        ("local_dotted", "BIG = 32", "BIG = 33"),
        ("local_relative", "GROUND = 41", "GROUND = 42"),
        ("local_partial", "near, 34", "near, 35"),
        ("local_partial", "return 33", "return 34"),
        ("local_star", "return 51", "return 52"),
    ],
)
def test_what_is_taken_of_other_modules(project, name, old, new):
    """Constants of modules, enum members, partial functions, and all that a function's own imports lead to count."""
    assert project(name) != project(name, old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("by_module", "Said.", "Not said."),
        ("by_module", "WIDTH = 12", "WIDTH = 13"),
        ("local", '"""Lazy."""', '"""Not lazy."""  # but quick'),
        ("local", '\n"""What is imported late."""', "\n\n# moved\n"),
        ("local", "return 36", "return 37"),
        ("local_text", '    """Told."""\n', ""),
        ("local_library", "return 33", "return 34"),
    ],
)
def test_what_is_not_taken_of_other_modules(project, name, old, new):
    """What a function does not name of the modules it imports, their comments and docstrings change nothing."""
    assert project(name) == project(name, old, new)


def test_a_hash_is_the_same_whatever_was_imported(project):
    """A process that has imported by now what a function imports when it runs finds the same hash; none imports it."""
    for name in ("local", "local_module", "local_dotted", "by_path"):
        assert project(name) == project(name, lazy={"LIMIT": 99, "lazy": len})
    assert "pkg.lazy" not in sys.modules or sys.modules["pkg.lazy"].lazy is len


def test_an_installed_project(tmp_path, monkeypatch):
    """Where the project is installed beside libraries, its own package counts, and a library that an op imports not."""
    root = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(root))
    text = """
def own():
    from shop.late import one
    return one()
def other():
    from shelf import one
    return one()
"""
    hashes = []
    for number in (1, 2):
        for package, name in (("shop", "late"), ("shelf", "__init__")):
            (root / package).mkdir(parents=True, exist_ok=True)
            (root / package / f"{name}.py").write_text(f"def one(): return {number}\n")
        space = {"__name__": "shop.ops", "__package__": "shop"}
        exec(compile(text, str(root / "shop" / "ops.py"), "exec"), space)
        hashes.append((function_hash(space["own"]), function_hash(space["other"])))
    (own, other), (own_after, other_after) = hashes
    assert (own == own_after, other == other_after) == (False, True)


def test_a_library_that_is_closed_over(monkeypatch, tmp_path):
    """Of a library's class that an op closes over only the name counts, however large the library; what a library's
    decorator wraps counts, also of a project that is installed beside it."""
    root = tmp_path / "site-packages"

    def space(module, text):
        made = types.ModuleType(module)
        monkeypatch.setitem(sys.modules, module, made)
        made.__file__ = str(root / f"{module}.py")
        exec(compile(text, made.__file__, "exec"), made.__dict__)
        return made

    wrapper = space("tries", "def tried(fn):\n    def inner(): return fn()\n    return inner")
    hashes = []
    for number in (1, 2):
        frames = space("frames", f"class Frame:\n    def rows(self): return {number}")
        shop = space("shop", f"def work(): return {number}")
        hashes.append((function_hash(closing_over(frames.Frame)), function_hash(wrapper.tried(shop.work))))
    (frame, work), (frame_after, work_after) = hashes
    assert (frame == frame_after, work == work_after) == (True, False)
    assert frame != function_hash(closing_over(space("frames", "class Other: pass").Other))


def closing_over(found):
    def body():
        return found

    return body


def test_what_is_imported_is_read_once(tmp_path, monkeypatch):
    """Modules that import one another from within their functions, in every way, are hashed at once."""
    many = range(40)
    for number in many:
        lines = [f"def f{number}(x):"]
        lines += [
            f"    from knot.m{other} import f{other}, name{other}, {', '.join(f'n{i}' for i in range(9))}"
            for other in many
        ]
        lines += [f"    return f{(number + 1) % 40}(x).name{number}", *[f"n{i} = {i}" for i in range(9)]]
        lines += [f"from knot import m{other} as name{other}" for other in many]
        (tmp_path / "knot").mkdir(exist_ok=True)
        (tmp_path / "knot" / f"m{number}.py").write_text("\n".join(lines))
    (tmp_path / "knot" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))

    def hashed():
        made = {"__name__": "steps"}
        exec(
            compile("def work():\n    from knot.m0 import f0\n    return f0(1)", str(tmp_path / "steps.py"), "exec"),
            made,
        )
        return function_hash(made["work"])

    before = hashed()
    last = tmp_path / "knot" / "m39.py"
    last.write_text(last.read_text().replace("n8 = 8", "n8 = 80"))
    assert hashed() != before


def test_alike_functions_of_two_modules(monkeypatch):
    """Functions of the same text are told apart: each has its module's constants, its defaults, what it closes over."""

    def hashed(us, eu, first=2, second=3):
        for name, rate in (("us", us), ("eu", eu)):
            made = types.ModuleType(f"shop.{name}")
            exec(compile(f"RATE = {rate}\ndef price(x): return x * RATE", "price.py", "exec"), made.__dict__)
            monkeypatch.setitem(sys.modules, made.__name__, made)
        space = {"__name__": "shop.ops", "us": sys.modules["shop.us"], "eu": sys.modules["shop.eu"]}
        text = f"""
def make(n):
    def by(x, n=n): return x * n
    return by
two, three = make({first}), make({second})
def work(x): return us.price(x) + eu.price(x) + two(x) + three(x)
"""
        exec(compile(text, "ops.py", "exec"), space)
        return function_hash(space["work"])

    assert len({hashed(2, 2), hashed(2, 20), hashed(20, 2), hashed(2, 2, first=4), hashed(2, 2, 3, 2)}) == 5


CLASSES = """
import dataclasses, functools, typing
import pydantic
class Meta(type):
    def __call__(cls): return 1
class Made(metaclass=Meta): pass
class Field:
    def __get__(self, home, cls): return 2
class Model(pydantic.BaseModel):
    size: int = 3
class Pair(typing.NamedTuple):
    left: int = 4
@dataclasses.dataclass
class Data:
    rows: list = dataclasses.field(default_factory=lambda: [5])
class Plain:
    field = Field()
    @property
    def rate(self): return 6
    @rate.setter
    def rate(self, value): self.other = value * 7
    def upper(self): return "a"
    def lower(self): return "b"
@functools.singledispatch
def text(x): return "x"
@text.register
def _(x: int): return "int"
class Helper:
    def run(self): return 8
helper = Helper()
def work(): return Made(), Model(), Pair(), Data(), Plain(), text(1), helper.run()
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return 1", "return 10"), ("return 2", "return 20"), ("= 3", "= 30"), ("= 4", "= 40"), ("[5]", "[50]"),
        ("return 6", "return 60"), ("* 7", "* 70"), ("return 8", "return 80"), ('"int"', '"integer"'),
        ("size: int", "size: str"),
        ('upper(self): return "a"\n    def lower', 'lower(self): return "a"\n    def upper'),
    ],
)  # fmt: skip
def test_all_of_a_class(hashed, monkeypatch, old, new):
    """Fields with their types and defaults, properties, descriptors, metaclasses, which method has which name; the
    class of an object; what `singledispatch` may choose."""
    monkeypatch.setitem(sys.modules, "one_package.steps", types.ModuleType("one_package.steps"))
    assert old in CLASSES
    assert hashed(CLASSES.replace(old, new)) != hashed(CLASSES)
    assert hashed(CLASSES) == hashed(CLASSES)


GIVEN = """
import datetime, decimal, functools, re
DAY = datetime.date(2020, 1, 1)
RATE = decimal.Decimal("1.5")
FORM = re.compile("a+")
def fac(spec, seen):
    def body():
        seen.append(DAY)
        out = []
        for each in spec["columns"]:
            out.append((each, RATE, FORM))
        return out
    return body
def pick(x, cols=["a"]): return x[cols[0]]
both = functools.partial(pick, cols=["b", {"c": 1}])
body = fac({"columns": ["d"]}, [])
def work(x): return body(), pick(x), both(x)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2020", "2021"), ("1.5", "1.6"), ("a+", "b+"), ('["a"]', '["z"]'), ('"b",', '"y",'), ('"c": 1', '"c": 2'),
        ('["d"]', '["x"]'),
    ],
)  # fmt: skip
def test_what_functions_are_given(hashed, old, new):
    """Dates, decimals and patterns are constants; lists and dicts count where a function closes over them, as defaults,
    and in a partial: they say what the function does."""
    assert old in GIVEN
    assert hashed(GIVEN.replace(old, new)) != hashed(GIVEN)


def test_what_a_function_fills(hashed):
    """A list that a function itself fills is no part of its code, nor a number that it counts up."""
    assert hashed(GIVEN) == hashed(GIVEN.replace(", [])", ", [1, 2])"))
    text = """
def make(seen, table):
    count = 0
    def work(x):
        nonlocal count
        global total
        total = count = count + 1
        table["n"] = x
        table[x] += 1
        return seen.append(x)
    return work
total = 0
work = make([], {})
"""
    assert hashed(text) == hashed(text.replace("([], {})", "([1], {2: 3})").replace("count = 0", "count = 9"))
    assert hashed(text) == hashed(text.replace("total = 0", "total = 5"))


def test_a_name_that_means_something_else_now():
    """In a notebook a helper or a constant is defined again: who names it has another hash then, and the first one when
    the first is back."""
    space = {"__name__": "__main__"}
    exec("K = 1\ndef helper(x): return x\ndef work(x): return helper(x) + K", space)
    work = space["work"]
    hashes = [function_hash(work)]
    for cell in ("def helper(x): return x * 2", "K = 1000", "K = 1\ndef helper(x): return x"):
        exec(cell, space)
        hashes.append(function_hash(work))
    work.__code__ = (lambda x: x).__code__  # as some tools that reload code do
    hashes.append(function_hash(work))
    assert len(set(hashes)) == 4
    assert hashes[0] == hashes[3]


def test_the_code_alone(hashed):
    """Without values, the hash is the same in a process that set its constants to the time or a folder of its own."""
    text = "import time\nBEGAN = 1\ndef work(x, to=5): return BEGAN + x"
    spaces = []
    for each in (text, text.replace("= 1", "= 2").replace("to=5", "to=6"), text.replace("+ x", "- x")):
        space = {"__name__": "some.steps"}
        exec(compile(each, "steps.py", "exec"), space)
        spaces.append(function_hash(space["work"], values=False))
    assert spaces[0] == spaces[1] != spaces[2]


def test_files_that_change(project, tmp_path):
    """What functions import when they run is looked up anew each time."""
    space = {"__name__": "steps"}
    late = tmp_path / "latest.py"
    exec(
        compile(
            "def work():\n    from latest import one\n    return one()\ndef no(): return 1",
            str(tmp_path / "steps.py"),
            "exec",
        ),
        space,
    )
    sys.path.insert(0, str(tmp_path))
    try:
        seen = []
        for number in (1, 2, 1):
            late.write_text(f"def one(): return {number}\n")
            seen.append((function_hash(space["work"]), imported_hash(space["work"])))
    finally:
        sys.path.remove(str(tmp_path))
    assert seen[0] == seen[2] != seen[1]
    assert seen[0][1] != seen[1][1]
    assert imported_hash(space["no"]) == ""
