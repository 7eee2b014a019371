"""Definitions gathered from modules and from folders of them."""

import sys
from types import ModuleType

import pytest

import opgraph as og
from opgraph.declare.project.folders import LeftOut


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes files of a project; what is imported from it is forgotten afterwards."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(**files):
        for name, text in files.items():
            file = tmp_path / name.replace("__", "/")
            file = file.with_name(file.name.replace("_toml", ".toml")) if "toml" in name else file.with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("import opgraph as og\n" * ("toml" not in name) + text)
        return tmp_path

    yield write
    for name in set(sys.modules) - known:
        if name.startswith("shop_"):
            del sys.modules[name]


ASSET = "@og.asset\ndef {}(): return 1\n"


def keys(defs):
    return sorted(key.text for key in defs.resolve_all_asset_keys())


def test_every_module_of_a_folder(project):
    """Each module below `defs` is read, in any subfolder; a function under `@definitions` speaks for its module."""
    root = project(
        pyproject_toml='[tool.dg.project]\nroot_module = "shop_a"\n',
        src__shop_a__defs__orders=ASSET.format("orders"),
        src__shop_a__defs__deep__report="@og.definitions\ndef d(): return og.Definitions(assets=[og.AssetSpec('x')])\n",
    )
    defs = og.load_from_defs_folder(path_within_project=root / "src")
    assert keys(defs) == ["orders", "x"]
    assert isinstance(defs, og.Definitions)


def test_what_stands_beside_a_function_of_definitions(project):
    """An asset in the module of a function under `@definitions` that does not return it is a mistake, at its line; one
    that it returns changed, or that comes from another module, is none."""
    text = ASSET.format("more") + "@og.definitions\ndef d(): return og.Definitions(assets=[{}])\n"
    root = project(
        shop_c__defs__orders=ASSET.format("orders"),
        shop_c__defs__changed="from .orders import orders\n" + text.format("more.with_attributes(tags_by_key={})"),
    )
    assert keys(og.load_from_defs_folder(path_within_project=root / "shop_c")) == ["more", "orders"]
    root = project(shop_d__defs__report=text.format(""))
    with pytest.raises(LeftOut, match=r"asset `more` .* of `d`.*\n  at .*report.py:2"):
        og.load_from_defs_folder(path_within_project=root / "shop_d")


def test_without_a_name(project):
    """Where pyproject.toml names no module, the folder called `defs` is read."""
    root = project(shop_b__defs__orders=ASSET.format("orders"))
    assert keys(og.load_from_defs_folder(path_within_project=root / "shop_b")) == ["orders"]


def test_no_folder(project):
    """A project without the folder is told where it belongs."""
    with pytest.raises(og.InvalidDefinitionError, match="no folder `defs`"):
        og.load_from_defs_folder(path_within_project=project(pyproject_toml=""))


def test_modules():
    """Assets, specs, lists of them and jobs of modules are gathered, with resources beside."""
    module = ModuleType("loose")

    @og.asset
    def a(): ...

    @og.job
    def j(): ...

    module.a, module.more, module.j = a, [og.AssetSpec("b")], j
    defs = og.load_definitions_from_modules([module], resources={"r": 1})
    assert keys(defs) == ["a", "b"]
    assert defs.get_job_def("j").name == "j"
    assert defs.resources == {"r": 1}


def test_a_function_that_returns_something_else():
    """`@definitions` on a function that returns no Definitions is a mistake, at its line."""

    @og.definitions
    def wrong():
        return 1

    with pytest.raises(og.InvalidDefinitionError, match=r"returned 1 \(an int\)\n  at .*test_folders"):
        wrong()


def test_path_beside_a_file():
    """A path is made from a source file's own folder."""
    assert og.file_relative_path("/a/b.py", "c.sql") == "/a/c.sql"
