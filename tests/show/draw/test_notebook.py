"""What notebooks show."""

import subprocess
import sys

from opgraph import Definitions, asset, graph, graph_asset, job, materialize, op


@asset
def rows():
    return [1]


@op
def add(rows):
    return sum(rows)


@op
def one():
    return 1


@graph_asset
def total(rows):
    return add(rows)


@graph
def outer():
    return one()


@job
def nightly():
    one()


def test_drawings_of_everything():
    """Definitions, assets, graphs, jobs, plans and results draw themselves, without script, and keep their text."""
    result = materialize([rows, total])
    for thing, name in (
        (Definitions(assets=[rows, total]), "total"),
        (total, "rows"),
        (rows, "rows"),
        (outer, "one"),
        (nightly, "one"),
        (result.plan, "add"),
        (result, "add"),
    ):
        page = thing._repr_html_()
        assert page.count("<svg") == page.count("</svg>") == 1
        assert f">{name}</text>" in page
        assert "<script" not in page
        assert "<" not in repr(thing)[:1]


def test_definitions_with_mistakes_are_drawn():
    """A picture helps to find a mistake, so one is drawn of definitions that would be refused."""

    @asset
    def lonely(rosw):
        return rosw

    assert ">lonely</text>" in Definitions(assets=[rows, lonely])._repr_html_()


def test_many_assets_are_drawn_by_group():
    """Of hundreds of assets a notebook shows the groups, one box each."""

    def made(group, number):
        @asset(name=f"{group}_{number}", group_name=group, deps=[f"a_{number}"] if group == "b" else [])
        def one(): ...

        return one

    page = Definitions(assets=[made(group, number) for group in "ab" for number in range(250)])._repr_html_()
    assert page.count(">250 assets</text>") == 2
    assert "a_7" not in page


def test_what_is_not_drawn_costs_nothing():
    """Importing opgraph and declaring assets imports nothing that draws."""
    code = (
        "import opgraph, sys\n@opgraph.asset\ndef a(): ...\nopgraph.Definitions(assets=[a])\n"
        "assert not [name for name in sys.modules if 'draw' in name]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_notebook_s_theme_goes_before_that_of_the_system():
    """In the dark theme of JupyterLab or VS Code a drawing is dark, in the light one light, whatever the system is."""
    style = Definitions(assets=[rows])._repr_html_().partition("<style>")[2].partition("@media")
    for theme, page in (
        ('"true"', "#fbfbfa"),
        ("vscode-light", "#fbfbfa"),
        ('"false"', "#14161a"),
        ("vscode-dark", "#14161a"),
    ):
        rules = [each for each in (style[0] + style[2].partition("}\n}")[2]).split("}") if theme in each]
        assert [f"--page: {page}" in each for each in rules] == [True]


def test_a_picture_fits_its_cell():
    """A page may make a picture smaller, down to three fifths of its own width."""
    page = Definitions(assets=[rows])._repr_html_()
    width = float(page.partition(' width="')[2].partition('"')[0])
    least = float(page.partition("min-width:")[2].partition("px")[0])
    assert "max-width: 100%" in page
    assert least == round(0.6 * width)
