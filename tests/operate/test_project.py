"""Finding a project, its state and its definitions."""

import stat
import sys

import pytest

from opgraph.errors import InvalidDefinitionError, InvalidDefinitionsError
from opgraph.operate import project_mistakes as mistakes
from opgraph.operate.project import load, locate, make_home

ASSET = "from opgraph import Definitions, asset\n\n@asset\ndef numbers():\n    return [1]\n"
DEFS = ASSET + "\ndefs = Definitions(assets=[numbers])\n"


@pytest.fixture(autouse=True)
def clean_imports():
    """What a test imports is gone afterwards."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if not name.startswith("opgraph"):
            del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def project(tmp_path):
    """A project with a definitions file; returns a function that writes other files."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    write("pyproject.toml", '[tool.opgraph]\nfile = "definitions.py"\n')
    write("definitions.py", DEFS)
    return write


def find(tmp_path, *args, start="", **environment):
    return locate(*args, start=tmp_path / start, environment=environment)


# -- where --------------------------------------------------------------------


def test_the_nearest_pyproject_upwards_names_the_file(project, tmp_path):
    """From a folder below, the project is found; its state is beside pyproject.toml."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    found = find(tmp_path, start="deep/er")
    assert (found.file, found.home, found.typed) == (tmp_path / "definitions.py", tmp_path / ".opgraph", ())


def test_a_pyproject_of_another_tool_is_passed_over(project, tmp_path):
    """A pyproject.toml without [tool.opgraph] does not end the search."""
    project("sub/pyproject.toml", "[project]\nname = 'opgraph-user'\n")
    assert find(tmp_path, start="sub").file == tmp_path / "definitions.py"


def test_a_named_file_needs_no_pyproject(tmp_path):
    """`-f FILE` alone is a project: its state is beside the file, and it is to be typed again."""
    (tmp_path / "mine.py").write_text(DEFS)
    found = find(tmp_path, "mine.py")
    assert (found.home, found.typed) == (tmp_path / ".opgraph", ("-f", "mine.py"))


def test_a_named_file_inside_a_project_shares_its_state_and_settings(project, tmp_path):
    """Runs of `-f other.py` are in the same list as those of the project."""
    project(
        "pyproject.toml", '[tool.opgraph]\nfile = "definitions.py"\non_unselected = "discard"\nattribute = "defs"\n'
    )
    project("sub/other.py", DEFS)
    found = find(tmp_path, "sub/other.py")
    assert (found.home, found.on_unselected, found.attribute) == (tmp_path / ".opgraph", "discard", "")


def test_opgraph_home_wins(project, tmp_path):
    """OPGRAPH_HOME says where state is, whatever the project."""
    assert find(tmp_path, OPGRAPH_HOME=str(tmp_path / "state")).home == tmp_path / "state"


def test_state_is_for_its_owner(project, tmp_path):
    """The folder of the state is 0700."""
    home = make_home(find(tmp_path))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_home_that_cannot_be_made_says_so(project, tmp_path):
    """A file in the way of the state folder is an error that names it."""
    project("state", "a file")
    with pytest.raises(mistakes.UnusableHomeError, match="state cannot be kept in"):
        make_home(find(tmp_path, OPGRAPH_HOME=str(tmp_path / "state")))


def test_past_runs_can_be_looked_at_without_definitions(tmp_path):
    """A `.opgraph` folder upwards, or OPGRAPH_HOME, is enough to find state; loading definitions is then an error."""
    (tmp_path / ".opgraph").mkdir()
    found = find(tmp_path)
    assert found.home == tmp_path / ".opgraph"
    with pytest.raises(mistakes.ProjectNotFoundError):
        load(found)


def test_nothing_found(tmp_path):
    """Without a project the error names the ways to have one."""
    with pytest.raises(mistakes.ProjectNotFoundError, match=r"-f FILE.*opgraph init"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("[tool.opgraph\n", mistakes.BrokenSettingsError, "cannot be read"),
        ("tool.opgraph = 3\n", mistakes.BrokenSettingsError, "not a table"),
        ('[tool.opgraph]\nfiel = "x"\n', mistakes.UnknownSettingError, "Did you mean `file`"),
        ("[tool.opgraph]\nfile = 3\n", mistakes.BadSettingError, "write a text"),
        ('[tool.opgraph]\non_unselected = "maybe"\n', mistakes.BadSettingError, '"materialize" or "discard"'),
        ('[tool.opgraph]\nfile = "a.py"\nmodule = "a"\n', mistakes.BadSettingError, "not both"),
        (
            '[tool.opgraph]\nfile = "definition.py"\n',
            mistakes.DefinitionsFileMissingError,
            "did you mean .*definitions.py",
        ),
        ("[tool.opgraph]\npython_logs = 3\n", mistakes.BadSettingError, "write a table"),
        ('[tool.opgraph]\nfile = "."\n', mistakes.DefinitionsFileMissingError, "is a folder"),
    ],
)
def test_settings_at_fault(project, tmp_path, text, error, says):
    """Each mistake in pyproject.toml is an error of its own that says what to write."""
    project("pyproject.toml", text)
    with pytest.raises(error, match=says):
        find(tmp_path)


def test_settings_of_logs(project, tmp_path):
    """What `python_logs` holds is handed to the instance as it stands."""
    project("pyproject.toml", '[tool.opgraph]\nfile = "definitions.py"\npython_logs.python_log_level = "ERROR"\n')
    assert find(tmp_path).python_logs == {"python_log_level": "ERROR"}


# -- loading ------------------------------------------------------------------


def test_definitions_are_found(project, tmp_path):
    """The one `Definitions` of the file is the project's, whatever its name."""
    defs = load(find(tmp_path))
    assert [each.key.text for each in defs.assets] == ["numbers"]


def test_a_module(project, tmp_path):
    """A module is imported from the project's folder, packages too."""
    project("pyproject.toml", '[tool.opgraph]\nmodule = "pack.inside"\n')
    project("pack/__init__.py", "")
    project("pack/inside.py", DEFS)
    assert len(load(find(tmp_path)).assets) == 1


def test_the_file_may_import_its_neighbours(project, tmp_path):
    """The project's folder is on the import path, while it loads and afterwards."""
    project("neighbour_of_definitions.py", ASSET)
    project(
        "definitions.py",
        "from opgraph import Definitions\nfrom neighbour_of_definitions import numbers\ndefs = Definitions([numbers])",
    )
    assert len(load(find(tmp_path)).assets) == 1


def test_a_file_named_like_a_module_that_is_loaded(project, tmp_path):
    """A file called json.py is loaded, not the standard library's json."""
    project("json.py", DEFS)
    assert len(load(find(tmp_path, "json.py")).assets) == 1


def test_loose_assets_are_collected(project, tmp_path):
    """A file without `Definitions` means all its assets, and its jobs."""
    project("definitions.py", ASSET + "\nfrom opgraph import define_asset_job\nnightly = define_asset_job('nightly')\n")
    defs = load(find(tmp_path))
    assert ([each.key.text for each in defs.assets], [job.name for job in defs.jobs]) == (["numbers"], ["nightly"])


def test_one_of_several_is_named(project, tmp_path):
    """Several `Definitions` are an error that lists them; `-a` or `attribute` picks one."""
    project("definitions.py", DEFS + "other = Definitions()\n")
    with pytest.raises(mistakes.SeveralDefinitionsError, match="`defs`, `other`"):
        load(find(tmp_path))
    assert load(find(tmp_path, None, None, "other")).assets == []
    with pytest.raises(mistakes.NoSuchAttributeError, match="is a AssetsDefinition"):
        load(find(tmp_path, None, None, "numbers"))
    with pytest.raises(mistakes.NoSuchAttributeError, match="does not exist"):
        load(find(tmp_path, None, None, "gone"))


LAZY = """from opgraph import Definitions, asset, definitions

@definitions
def defs():
    @asset
    def numbers():
        return [1]

    return Definitions(assets=[numbers])
"""


def test_a_function_that_makes_the_definitions(project, tmp_path):
    """A function under `@definitions` is called, and stands for what it returns, also by its name."""
    project("definitions.py", LAZY)
    assert [each.key.text for each in load(find(tmp_path)).assets] == ["numbers"]
    assert len(load(find(tmp_path, None, None, "defs")).assets) == 1


def test_a_function_that_makes_the_definitions_and_fails(project, tmp_path):
    """What it raises is told as what the file raises: with the user's line."""
    project("definitions.py", LAZY.replace("    @asset", "    1 / 0\n\n    @asset"))
    with pytest.raises(mistakes.DefinitionsFailedError, match=r"ZeroDivisionError[\s\S]*definitions.py:5 in defs"):
        load(find(tmp_path))


def test_nothing_defined(project, tmp_path):
    """A file with nothing for opgraph is an error that says what it has."""
    project("definitions.py", "def helper(): ...\n")
    with pytest.raises(mistakes.NothingDefinedError, match="`helper`"):
        load(find(tmp_path))


def test_no_such_module(project, tmp_path):
    """A module that is not there is named; one that it imports in vain is the user's own error."""
    for name in ("nowhere_to_be_found", "nowhere_to_be_found.at_all", "..", "not a name"):
        with pytest.raises(mistakes.DefinitionsModuleMissingError):
            load(find(tmp_path, None, name))
    project("importer.py", "import nowhere_to_be_found\n")
    with pytest.raises(mistakes.DefinitionsFailedError, match="ModuleNotFoundError"):
        load(find(tmp_path, None, "importer"))


def test_a_syntax_error_names_its_line(project, tmp_path):
    """The error is at the user's line and shows it."""
    project("definitions.py", "x = 1\ndef broken(:\n")
    with pytest.raises(mistakes.DefinitionsSyntaxError, match="def broken") as caught:
        load(find(tmp_path))
    assert caught.value.where == (str(tmp_path / "definitions.py"), 2)


def test_an_exception_in_the_file_shows_the_users_lines_last_first(project, tmp_path):
    """Only the user's lines are shown, the one that raised first; none of opgraph or of the import system."""
    project("helper_that_raises.py", "def go():\n    raise RuntimeError('not today')\n")
    project("asks_for_helper.py", "import helper_that_raises\nhelper_that_raises.go()\n")
    project("definitions.py", "import importlib\nby_name = importlib.import_module\nby_name('asks_for_helper')\n")
    with pytest.raises(mistakes.DefinitionsFailedError, match="RuntimeError: not today") as caught:
        load(find(tmp_path))
    text = str(caught.value)
    assert text.index("helper_that_raises.py:2") < text.index("asks_for_helper.py:2") < text.index("definitions.py:3")
    assert "importlib" not in text
    assert "opgraph/operate" not in text


def test_an_exception_of_a_library_is_told_at_the_users_line(project, tmp_path):
    """What a library raises is told at the user's line that called it; the library's own lines come after, as such."""
    project("reads_json.py", "import json\n\njson.loads('{no json')\n")
    project("definitions.py", "import reads_json\n")
    with pytest.raises(mistakes.DefinitionsFailedError) as caught:
        load(find(tmp_path))
    error = caught.value
    assert error.where == (str(tmp_path / "reads_json.py"), 3)
    assert [frame.file.rpartition("/")[2] for frame in error.frames if frame.own] == ["definitions.py", "reads_json.py"]
    assert not error.frames[-1].own
    lines = str(error).splitlines()
    assert lines[1].endswith("reads_json.py:3 in <module>")
    assert "raised in raw_decode" in lines[3]
    assert "definitions.py:1" in lines[4]
    assert len(lines) == 7


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import sys; sys.exit()", "1/0", "raise KeyError"])
def test_whatever_the_file_raises_is_one_message(project, tmp_path, code):
    """Even an exit in the user's file is reported as its error."""
    project("definitions.py", code)
    with pytest.raises(mistakes.DefinitionsFailedError):
        load(find(tmp_path))


@pytest.mark.parametrize("latin", [False, True])
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("n = 3", "the setting `n` of `C` has no type: `n = 3`"),
        ("m = 4", "the setting `m` of `C` has no type: `m = 4`"),
    ],
)
def test_a_setting_without_a_type(project, tmp_path, line, says, latin):
    """It is one mistake, at the line of the setting, in words of ours."""
    head = "# coding: latin-1\n# café\n" if latin else "\n\n"
    code = (
        f"{head}from opgraph import Config\nclass B(Config):\n    m: int = 3\nclass C(B):\n    k: int = 1\n    {line}\n"
    )
    project("definitions.py", code)
    (tmp_path / "definitions.py").write_text(code, "latin-1")
    with pytest.raises(InvalidDefinitionError) as caught:
        load(find(tmp_path))
    assert (caught.value.what, caught.value.where.line) == (says, 8)
    assert "pydantic" not in str(caught.value)


def test_mistakes_are_found_together(project, tmp_path):
    """Mistakes at declaration and in the whole come in one error, each with its place."""
    project(
        "definitions.py",
        "from opgraph import Definitions, asset\n\n"
        "@asset(name='not a name')\ndef one(): ...\n\n"
        "@asset(owners=['nobody'])\ndef two(): ...\n\n"
        "@asset\ndef three(twoo): ...\n\n"
        "defs = Definitions([one, two, three])\n",
    )
    with pytest.raises(InvalidDefinitionsError) as caught:
        load(find(tmp_path))
    assert len(caught.value.problems) == 3
    assert all(str(tmp_path / "definitions.py") in str(problem) for problem in caught.value.problems)


def test_a_mistake_is_listed_once(project, tmp_path):
    """What a declaration and the whole both find is one mistake."""
    project(
        "definitions.py",
        "from opgraph import Definitions, asset, graph_asset, op\n\n"
        "@op\ndef un(x): return x\n\n"
        "@graph_asset\ndef made():\n    return un()\n\n"
        "@asset(name='not a name')\ndef one(): ...\n\n"
        "defs = Definitions([one, made])\n",
    )
    with pytest.raises(InvalidDefinitionsError) as caught:
        load(find(tmp_path))
    assert len(caught.value.problems) == 2, str(caught.value)


def test_an_error_in_an_installed_package_is_told_at_the_users_line(tmp_path):
    """What an installed package raises is told with the line of the definitions file that called it on top."""
    (tmp_path / "definitions.py").write_text("import pydantic\n\n\npydantic.TypeAdapter(int).validate_python('x')\n")
    with pytest.raises(InvalidDefinitionError) as caught:
        load(locate(str(tmp_path / "definitions.py")))
    assert caught.value.where == (str(tmp_path / "definitions.py"), 4)


@pytest.mark.parametrize(
    "body",
    [
        "@og.graph_asset\ndef it():\n    return y(x)\n",
        "@og.graph_asset\ndef it():\n    y(x())\n",
        "@og.graph_asset\ndef it():\n    return x\ndefs = og.Definitions(assets=[it])\n",
        "@og.graph_multi_asset(outs={'a': og.AssetOut()})\ndef it():\n    return {'other': y(x())}\n",
        "@og.graph_multi_asset(outs={'a': og.AssetOut()})\ndef it():\n    y(x())\n",
    ],
)
def test_one_slip_in_a_graph_is_one_mistake(tmp_path, body):
    """Forgotten parentheses, a wrong output name and a missing `return` are not followed by what comes of them."""
    ops = "import opgraph as og\n@og.op\ndef x() -> int:\n    return 1\n@og.op\ndef y(n: int) -> int:\n    return n\n\n"
    (tmp_path / "definitions.py").write_text(ops + body)
    with pytest.raises(InvalidDefinitionError) as caught:
        load(locate(str(tmp_path / "definitions.py")))
    assert len(caught.value.problems) == 1, str(caught.value)
