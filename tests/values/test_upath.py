"""UPathIOManager: one file a value, where people look for it."""

from pathlib import Path

import pytest

import opgraph as og
from opgraph.values.upath import NoLibraryForURL


class Texts(og.UPathIOManager):
    extension = ".txt"

    def dump_to_path(self, context, obj, path):
        path.write_text(obj)

    def load_from_path(self, context, path):
        return path.read_text()

    def get_metadata(self, context, obj):
        return {"characters": len(obj)}


@og.asset(key_prefix="raw")
def text():
    return "words"


def test_paths_follow_from_keys(tmp_path):
    """A value is at its asset's path with the extension, and is loaded from there; metadata is kept."""

    @og.asset(ins={"text": og.AssetIn(key_prefix="raw")})
    def longer(text):
        return text * 2

    result = og.materialize([text, longer], resources={"io_manager": Texts(tmp_path)})
    assert (tmp_path / "raw" / "text.txt").read_text() == "words"
    assert (tmp_path / "longer.txt").read_text() == "wordswords"
    metadata = result.asset_materializations_for_node("raw__text")[0].metadata
    assert metadata["characters"].value == 5
    assert Path(metadata["path"].value) == tmp_path / "raw" / "text.txt"


def test_a_base_path_of_the_instance(tmp_path):
    """Without a base path, files are in the instance's folder of values."""
    with og.Instance(tmp_path) as instance:
        og.materialize([text], resources={"io_manager": Texts()}, instance=instance)
    assert list(tmp_path.rglob("text.txt"))


def test_built_contexts(tmp_path):
    """An I/O manager is tested without a run."""
    manager = Texts(str(tmp_path))
    out = og.build_output_context(asset_key="a/b")
    manager.handle_output(out, "words")
    assert out.added_metadata["characters"] == 5
    assert manager.load_input(og.build_input_context(asset_key="a/b", upstream_output=out)) == "words"
    with pytest.raises(og.Error, match="missing"):
        manager.load_input(og.build_input_context(asset_key="a/c"))


def test_intermediates_belong_to_their_run(tmp_path):
    """A value between ops is below its run's id."""
    out = og.build_output_context(step_key="op", name="result", run_id="run")
    manager = Texts(tmp_path)
    manager.handle_output(out, "words")
    assert (tmp_path / "run" / "op" / "result.txt").exists()
    assert manager.load_input(og.build_input_context(upstream_output=out)) == "words"


@og.op
def doubled(text):
    return text * 2


@og.op
def framed(text):
    return f"<{text}>"


@og.graph_asset(ins={"text": og.AssetIn(key_prefix="raw")})
def shown(text):
    return framed(doubled(text))


@pytest.mark.parametrize("base", ["memory://texts", "file://{folder}", "s3://texts/of"])
def test_urls(base, tmp_path, request):
    """A base path may be a URL that fsspec knows; its values are at URLs that follow from keys, between ops too."""
    pytest.importorskip("upath")
    if base.startswith("s3"):
        request.getfixturevalue("s3").create_bucket(Bucket="texts")
    base = base.format(folder=tmp_path)
    result = og.materialize([text, shown], resources={"io_manager": Texts(base)})
    assert result.asset_value("shown") == "<wordswords>"
    assert result.asset_materializations_for_node("shown")[0].metadata["path"].value == f"{base}/shown.txt"


def test_urls_without_their_library():
    """A URL whose library is not installed is refused where the I/O manager is made, with what to install."""
    pytest.importorskip("upath")
    with pytest.raises(NoLibraryForURL, match=r"`nosuch://` URLs is not installed(.|\n)*opgraph\[cloud\]"):
        Texts("nosuch://bucket")


@pytest.mark.parametrize("protocol", ["s3", "gs", "abfs", "abfss"])
def test_no_folder_is_made_in_a_bucket(tmp_path, protocol):
    """Where there are no folders none is made: that would make a bucket, or a container, of a mistyped name."""

    class InBucket:
        def __init__(self):
            self.protocol = protocol

        def mkdir(self, **_):
            raise PermissionError

    Texts(str(tmp_path)).make_directory(InBucket())
