"""Every form of selection, on one graph with groups, tags, kinds, owners, external assets and things never made."""

import pytest

import opgraph as dg
from opgraph.declare.assets.selection import selection_of
from opgraph.keys import AssetKey
from opgraph.resolve.assets import AssetGraph
from opgraph.resolve.mistakes import NothingSelected, UnknownSelected
from opgraph.resolve.select import select, select_to_run

S = dg.AssetSelection


def asset(name, *upstream, key=None, **options):
    @dg.asset(key=key or name, ins={each.replace("/", "_"): dg.AssetIn(key=each) for each in upstream}, **options)
    def it(**values): ...

    return it


@dg.op
def use(x):
    return x


@dg.graph_multi_asset(
    outs={"good": dg.AssetOut(group_name="sorted"), "bad": dg.AssetOut(group_name="sorted")},
    ins={"clean": dg.AssetIn("clean")},
)
def sorting(clean):
    return {"good": use(clean), "bad": use(clean)}


@pytest.fixture(scope="module")
def graph():
    """All of it: outside → raw/orders, raw/users → clean → good, bad → report; alone; raw/outside is external."""
    return AssetGraph(
        [
            asset("raw/orders", "raw/outside", group_name="raw", tags={"tier": "1", "pii": "no"}, kinds={"table"}),
            asset("raw/users", group_name="raw", tags={"tier": "2"}, kinds={"table", "parquet"}, owners=["a@b.org"]),
            asset("clean", "raw/orders", "raw/users", owners=["team:data"]),
            sorting,
            asset("report", "good", "bad", group_name="out", tags={"tier": "1"}, owners=["team:data", "a@b.org"]),
            asset("alone"),
        ],
        [dg.AssetSpec("raw/outside", group_name="raw", tags={"tier": "1"}, kinds={"table"}, owners=["a@b.org"])],
    )


def recorded(keys):
    return {"raw/orders", "clean", "raw/outside"} & set(keys)


def names(keys):
    return " ".join(sorted(key.text for key in keys))


MADE = "alone bad clean good raw/orders raw/users report"

TEXTS = {
    "*": MADE,
    "clean": "clean",
    "raw/orders": "raw/orders",
    'key:"raw/orders"': "raw/orders",
    '"raw/orders"': "raw/orders",
    "raw/*": "raw/orders raw/outside raw/users",
    'key:"raw/*"': "raw/orders raw/outside raw/users",
    'key:"*o*d*"': "good raw/orders raw/outside",
    "*clean": "clean raw/orders raw/outside raw/users",
    "+clean": "clean raw/orders raw/outside raw/users",
    "1+clean": "clean raw/orders raw/users",
    "++clean": "clean raw/orders raw/outside raw/users",
    "clean*": "bad clean good report",
    "clean+": "bad clean good report",
    "clean+1": "bad clean good",
    "raw/users++": "bad clean good raw/users",
    "raw/users+2": "bad clean good raw/users",
    "1+clean+1": "bad clean good raw/orders raw/users",
    "*clean*": "bad clean good raw/orders raw/outside raw/users report",
    "group:raw": "raw/orders raw/users",
    "group:default": "alone clean",
    "tag:tier=1": "raw/orders report",
    "tag:tier": "raw/orders raw/users report",
    'tag:"tier"="2"': "raw/users",
    "kind:table": "raw/orders raw/users",
    "kind:parquet": "raw/users",
    "owner:a@b.org": "raw/users report",
    'owner:"team:data"': "clean report",
    "group:raw and kind:parquet": "raw/users",
    "kind:table and owner:a@b.org and tag:tier=2": "raw/users",
    "alone or report": "alone report",
    "alone, report": "alone report",
    "not group:raw": "alone bad clean good report",
    "group:raw and not raw/users": "raw/orders",
    "(alone or clean) and not alone": "clean",
    "not (group:raw or group:out)": "alone bad clean good",
    "roots(*)": "alone raw/orders raw/users",
    "sinks(*)": "alone report",
    "roots(*report and not group:raw)": "raw/outside",
    "sinks(group:raw or clean)": "clean",
    "+missing": "alone bad good raw/users report",
    "group:raw and +missing": "raw/users",
    "clean +missing": "clean raw/users",
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts(graph, text):
    """Each form of text selects what it says."""
    assert names(select(graph, S.from_string(text), recorded)) == TEXTS[text]


MADE_IN_CODE = {
    "all": (S.all(), MADE),
    "all, sources too": (S.all(include_sources=True), f"{MADE} raw/outside"),
    "keys": (S.keys("clean", ["raw", "users"]), "clean raw/users"),
    "assets": (S.assets(sorting, "alone"), "alone bad good"),
    "prefix": (S.key_prefixes("raw"), "raw/orders raw/users"),
    "prefix, sources too": (S.key_prefixes(["raw"], include_sources=True), "raw/orders raw/outside raw/users"),
    "substring": (S.key_substring("o"), "alone good raw/orders report"),
    "substring, sources too": (S.key_substring("outs", include_sources=True), "raw/outside"),
    "groups": (S.groups("raw", "out"), "raw/orders raw/users report"),
    "groups, sources too": (S.groups("raw", include_sources=True), "raw/orders raw/outside raw/users"),
    "tag": (S.tag("tier", "1"), "raw/orders report"),
    "tag, sources too": (S.tag("tier", "1", include_sources=True), "raw/orders raw/outside report"),
    "tag string": (S.tag_string("pii=no"), "raw/orders"),
    "tag string, an empty value": (S.tag_string("pii"), ""),
    "kind": (S.kind("parquet"), "raw/users"),
    "no kind": (S.kind(None), "alone bad clean good report"),
    "kind, sources too": (S.kind("table", include_sources=True), "raw/orders raw/outside raw/users"),
    "owner": (S.owner("team:data"), "clean report"),
    "no owner": (S.owner(None), "alone bad good raw/orders"),
    "or": (S.keys("alone") | S.keys("clean"), "alone clean"),
    "and": (S.groups("raw") & S.kind("parquet"), "raw/users"),
    "and, three": (S.all() & S.groups("raw") & S.tag("tier", "2"), "raw/users"),
    "without": (S.groups("raw") - S.keys("raw/users"), "raw/orders"),
    "upstream": (S.keys("good").upstream(), "clean good raw/orders raw/outside raw/users"),
    "upstream, one": (S.keys("good").upstream(depth=1), "clean good"),
    "upstream, without": (S.keys("good").upstream(include_self=False), "clean raw/orders raw/outside raw/users"),
    "upstream, without, in a row": (S.keys("good", "clean").upstream(1, include_self=False), "raw/orders raw/users"),
    "downstream": (S.keys("clean").downstream(), "bad clean good report"),
    "downstream, none": (S.keys("clean").downstream(depth=0), "clean"),
    "downstream, without": (S.keys("clean").downstream(depth=1, include_self=False), "bad good"),
    "downstream of an external one": (S.keys("raw/outside").downstream(depth=1), "raw/orders raw/outside"),
    "roots": (S.groups("raw", "sorted").roots(), "raw/orders raw/users"),
    "sinks": (S.keys("clean").upstream().sinks(), "clean"),
    "sources": (S.keys("clean").sources(), "raw/outside raw/users"),
    "materializable": (S.keys("clean").upstream().materializable(), "clean raw/orders raw/users"),
    "external ones before": (S.all().upstream_source_assets(), "raw/outside"),
    "made together": (S.keys("good").required_multi_asset_neighbors(), "bad good"),
    "missing": (S.groups("raw").missing(), "raw/users"),
    "a list": (selection_of(["alone", AssetKey("clean"), sorting]), "alone bad clean good"),
    "a list with texts": (selection_of(["group:out", "1+clean"]), "clean raw/orders raw/users report"),
    "a definition": (selection_of(sorting), "bad good"),
}


@pytest.mark.parametrize("form", MADE_IN_CODE)
def test_forms(graph, form):
    """Each form built in code selects what its docstring says."""
    selection, expected = MADE_IN_CODE[form]
    assert names(select(graph, selection, recorded)) == " ".join(sorted(expected.split()))


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_a_selection_means_the_same(graph, text):
    """What a selection says of itself can be read again and selects the same."""
    selection = S.from_string(text)
    assert select(graph, S.from_string(str(selection)), recorded) == select(graph, selection, recorded)


def test_an_unknown_key_is_named_with_what_was_meant(graph):
    """A key that does not exist is an error, with near misses, also inside an operation; a pattern may fit nothing."""
    with pytest.raises(UnknownSelected) as caught:
        select(graph, S.from_string("alone or *ordesr+"))
    assert isinstance(caught.value, dg.InvalidSubsetError)
    with pytest.raises(UnknownSelected) as caught:
        select(graph, S.keys("orders"))
    assert caught.value.what == "no asset is named `orders`, as the selection asks. Did you mean `raw/orders`?"
    assert caught.value.fix == "write `raw/orders`"
    with pytest.raises(UnknownSelected) as caught:
        select(graph, S.keys("zzz"))
    assert caught.value.fix == "`opgraph list` shows the 8 assets there are"
    assert select(graph, S.from_string("group:nobody or zzz/*")) == frozenset()


def test_only_what_can_be_made_is_run(graph):
    """A selection to run leaves external assets out; one that has no others is an error that names them."""
    assert names(select_to_run(graph, S.keys("clean").upstream(), "+clean", recorded)) == "clean raw/orders raw/users"
    with pytest.raises(NothingSelected) as caught:
        select_to_run(graph, S.keys("raw/outside"), "raw/outside", recorded)
    assert caught.value.what == (
        "the selection `raw/outside` selects no asset that can be materialized: `raw/outside` can only be loaded, not "
        "computed"
    )
    with pytest.raises(NothingSelected) as caught:
        select_to_run(graph, S.from_string("group:nobody"), "group:nobody", recorded)
    assert caught.value.what == "the selection `group:nobody` selects no asset that can be materialized"


def test_missing_asks_the_record_only_where_it_must(graph):
    """Only `missing` asks what is recorded, and only of the assets in question."""
    asked = []

    def spy(keys):
        asked.append(list(keys))
        return frozenset()

    select(graph, S.from_string("*clean or group:raw"), spy)
    assert asked == []
    select(graph, S.groups("raw").missing(), spy)
    assert asked == [["raw/orders", "raw/users"]]


def test_a_key_is_no_list_of_keys():
    """Iterating over a key, as where a list of assets is expected, is an error that says what to give."""
    with pytest.raises(TypeError, match=r"(?s)Iteration is not allowed over AssetKey\(\['a', 'b'\]\).*give a list"):
        list(AssetKey("a/b"))
