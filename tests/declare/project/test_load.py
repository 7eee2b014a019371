"""Finding the assets of modules: what is taken, and what it is called then."""

from types import ModuleType

from opgraph import AssetKey, AssetSpec, SourceAsset, asset, load_assets_from_modules


def module():
    found = ModuleType("found")

    @asset
    def clean(raw, listed): ...

    vars(found).update(clean=clean, raw=SourceAsset("raw"), listed=AssetSpec("listed"))
    return found


def keys(found):
    return {each.key.text for each in found}


def deps(found):
    return {dep.asset_key.text for each in found if each.key == AssetKey(["p", "clean"]) for dep in each.specs[0].deps}


def test_a_source_asset_is_found():
    """`SourceAsset`s are taken like assets; other specs where they are asked for."""
    assert keys(load_assets_from_modules([module()])) == {"clean", "raw"}
    assert keys(load_assets_from_modules([module()], include_specs=True)) == {"clean", "raw", "listed"}


def test_a_source_asset_has_a_prefix_of_its_own():
    """What is made elsewhere keeps its key where assets get a prefix, unless one is given for it; who reads it reads
    what it is called then."""
    found = load_assets_from_modules([module()], key_prefix="p")
    assert keys(found) == {"p/clean", "raw"}
    assert deps(found) == {"raw", "listed"}
    found = load_assets_from_modules([module()], key_prefix="p", source_key_prefix=["s", "t"])
    assert keys(found) == {"p/clean", "s/t/raw"}
    assert deps(found) == {"s/t/raw", "listed"}
    assert keys(load_assets_from_modules([module()], source_key_prefix="s")) == {"clean", "s/raw"}
