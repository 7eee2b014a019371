"""What people do on the pages, in a real browser against a real server."""

import os
import re
import signal
from typing import Any


def expect(what: Any) -> Any:
    from playwright.sync_api import expect as expects

    return expects(what, "") if isinstance(what, str) else expects(what)


def run_asset(page: Any, served: Any, selection: str) -> None:
    """Launch a selection from its page, and be on the run's."""
    page.goto(f"{served.url}/launch?select={selection}")
    page.get_by_role("button", name=re.compile(r"^Run")).click()
    page.wait_for_url(re.compile(r"/runs/[^/]+$"))


def test_login_opens_the_assets(chromium: Any, served: Any) -> None:
    """The printed address signs the browser in and shows the graph; the token does not stay in the address."""
    window = chromium.new_context()
    page = window.new_page()
    page.goto(served.login)
    expect(page.locator(".node", has_text="orders")).to_be_visible()
    expect(page.locator(".node")).to_have_count(4)
    assert "token" not in page.url
    window.close()


def test_without_a_token(chromium: Any, served: Any) -> None:
    """Who is not signed in is told where the address is that signs in, and sees nothing else."""
    window = chromium.new_context()
    page = window.new_page()
    page.goto(served.url)
    expect(page.get_by_text("/login?token=")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).maxWidth") == "704px"  # the policy lets its style through
    assert "totals" not in page.content()
    window.close()


def test_token_that_is_not_valid_any_more(context: Any, page: Any, served: Any) -> None:
    """A page whose token is refused says so by itself."""
    page.goto(served.url)
    expect(page.locator(".node")).to_have_count(4)
    context.clear_cookies()
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_text("You are not signed in here")).to_be_visible()


def test_open_in_place(page: Any, served: Any) -> None:
    """A graph-backed asset opens in place into its ops, and shuts again; groups fold."""
    page.goto(served.url)
    page.get_by_role("button", name="2 ops: open totals").click(force=True)
    expect(page.locator(".node.op", has_text="add_up")).to_be_visible()
    expect(page.locator(".boxed .title", has_text="totals")).to_be_visible()
    page.locator(".boxed .title", has_text="totals").click()
    expect(page.locator(".node.op")).to_have_count(0)


def test_keyboard_alone(page: Any, served: Any) -> None:
    """With keys alone one goes from asset to asset, opens one into its ops, is told what flows into them, and goes to
    its page."""
    page.goto(served.url)
    page.locator(".node").first.wait_for()
    page.locator('.face[tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    picked = page.locator(".node.picked")
    expect(picked).to_have_count(1)
    page.keyboard.press("o")
    expect(page.locator(".node.op.picked .face")).to_be_focused()
    page.keyboard.press("e")
    expect(page.locator(".edge-tip")).to_contain_text("orders → ")
    page.keyboard.press("o")
    expect(page.locator(".node.op")).to_have_count(0)
    expect(page.locator(".node.picked .face")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/assets/[0-9a-f]{16}"))


def test_selection_in_the_search_box(page: Any, served: Any) -> None:
    """The search box takes the selection language; what cannot be read is explained, and not launched."""
    page.goto(served.url)
    box = page.get_by_role("textbox", name="Search, or a selection")
    page.locator(".node").first.wait_for()
    box.fill("group:raw")
    box.press("Enter")
    expect(page.locator(".node")).to_have_count(1)
    box.fill("frob:x and")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("frob")
    expect(page.get_by_role("link", name="Materialize")).to_have_count(0)
    box.fill("tot")
    box.press("Enter")
    expect(page.locator(".node", has_text="totals")).to_be_visible()


def test_an_op_is_searched_for(page: Any, served: Any) -> None:
    """An op is found by its name, and shown in what it is in, which opens for it."""
    page.goto(served.url)
    box = page.get_by_label("Search, or a selection")
    box.fill("add_")
    expect(page.get_by_role("button", name="add_up op of totals")).to_be_visible()
    box.press("Enter")
    expect(page.locator(".node.picked", has_text="add_up")).to_be_visible()
    expect(page.get_by_role("complementary", name="Op totals.add_up")).to_contain_text("an op of totals")
    expect(box).to_have_value("")


def test_launch_with_a_setting(page: Any, served: Any) -> None:
    """The plan is shown before it runs, a setting is typed beside its op, and the run says what it was given."""
    page.goto(f"{served.url}/launch?select=%2Btotals")
    expect(page.locator(".plan-step")).to_have_count(3)
    page.get_by_label("limit", exact=True).fill("many")
    expect(page.get_by_text("It has to be a whole number.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"^Run"))).to_be_disabled()
    page.get_by_label("limit", exact=True).fill("2")
    page.get_by_role("button", name=re.compile(r"^Run")).click()
    page.wait_for_url(re.compile(r"/runs/"))
    expect(page.locator(".runhead .status")).to_have_text("succeeded")
    expect(page.get_by_role("log")).to_contain_text("limit is 2")
    expect(page.locator(".trow", has_text="add_up")).to_be_visible()
    page.locator(".trow", has_text="clean").click()
    expect(page.locator(".steppanel")).to_contain_text('"limit":2')


NEEDS = """
class Scoring(Config):
    weight: float
    label: str = "none"


@op
def score(totals, config: Scoring):
    return totals * config.weight


@graph_asset
def scored(totals):
    return score(totals)


defs = Definitions(assets=[orders, totals, scored])
"""


def test_a_setting_without_a_default_is_asked_for(page: Any, served: Any) -> None:
    """What has to be given is asked for before there is a plan, and stays where it is typed once there is one."""
    source = served.folder / "definitions.py"
    source.write_text(served.project + NEEDS)
    try:
        page.goto(served.url)
        expect(page.locator(".node", has_text="scored")).to_be_visible()
        page.goto(f"{served.url}/launch?select=%2Bscored")
        weight = page.get_by_label("weight", exact=True)
        run = page.get_by_role("button", name=re.compile(r"^Run"))
        expect(run).to_be_disabled()
        expect(page.get_by_role("alert")).to_have_count(0)  # nothing was done wrong so far
        weight.focus()
        page.keyboard.type("2.5")
        expect(page.locator(".plan-step", has_text="score")).to_contain_text("run")
        expect(weight).to_be_focused()
        expect(page.get_by_label("label", exact=True)).to_be_visible()
        run.click()
        page.wait_for_url(re.compile(r"/runs/"))
        expect(page.locator(".runhead .status")).to_have_text("succeeded")
    finally:
        source.write_text(served.project)


def test_a_run_that_died(page: Any, served: Any) -> None:
    """When a run's process is killed its page says so by itself, nothing goes on any more, and it is taken up again."""
    run_asset(page, served, "%2Bpatient")
    waits = page.locator(".trow", has_text="wait_for_it")
    expect(waits).to_have_attribute("data-tone", "run")
    run = page.request.get(f"{served.url}/api/runs/{page.url.rsplit('/', 1)[1]}").json()
    os.kill(run["pid"], signal.SIGKILL)
    expect(page.locator(".runhead .status")).to_have_text("died")
    expect(page.get_by_role("alert")).to_contain_text("ended without a word")
    expect(waits).to_have_attribute("data-tone", "stale")
    page.get_by_label("engine events").check()
    expect(page.get_by_role("log")).to_contain_text(f"run started by process {run['pid']}")
    (served.folder / "go").touch()
    resume = page.get_by_role("button", name=re.compile("^Resume"))
    expect(resume).to_contain_text("1 run · 2 reused")
    resume.click()
    expect(page.locator(".runhead .status")).to_have_text("succeeded")
    assert page.url.endswith(run["run_id"])
    (served.folder / "go").unlink()


def test_watch_it_live(page: Any, served: Any) -> None:
    """Dagster #4341, #6051: a run is seen as it goes, without loading the page again or looking for its logs: the op
    that runs, what it says, its end."""
    run_asset(page, served, "%2Bpatient")
    expect(page.locator('.trow[data-tone="run"]', has_text="wait_for_it")).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("reading orders")
    (served.folder / "go").touch()
    expect(page.locator(".runhead .status")).to_have_text("succeeded")
    expect(page.locator(".trow", has_text="wait_for_it").locator(".piece.compute")).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("now it waits")
    (served.folder / "go").unlink()


def test_the_end_is_heard_before_the_rows_are_told(page: Any, served: Any) -> None:
    """What is asked of a run while it ends may say that it is over before its stream tells its last rows: these are
    shown all the same."""

    def over_already(route: Any) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json=reply.json() | {"status": "SUCCESS"})

    page.route(re.compile(r"/api/runs/[^/]+$"), over_already)
    run_asset(page, served, "%2Bpatient")
    expect(page.locator(".runhead .status")).to_have_text("succeeded")
    expect(page.locator('.trow[data-tone="run"]', has_text="wait_for_it")).to_be_visible()
    (served.folder / "go").touch()
    expect(page.locator('.trow[data-tone="ok"]', has_text="wait_for_it")).to_be_visible()
    (served.folder / "go").unlink()


def test_fail_and_resume(page: Any, served: Any) -> None:
    """The user's exception and line come first, the failing op is lit in the graph, in its middle by one click, also
    among the assets, with what went wrong beside it; and Resume says what it will do."""
    (served.folder / "broken").touch()
    run_asset(page, served, "%2Btotals")
    failure = page.get_by_role("region", name="What failed")
    expect(failure).to_contain_text("ZeroDivisionError: nothing to divide by")
    expect(failure).to_contain_text('raise ZeroDivisionError("nothing to divide by")')
    expect(failure).to_contain_text("definitions.py:")
    page.get_by_role("button", name="Graph", exact=True).click()
    failed = page.locator('.node[data-tone="bad"]', has_text="add_up")
    expect(failed).to_be_visible()
    clean, box = page.locator(".node", has_text="clean").bounding_box(), failed.bounding_box()
    page.mouse.move((clean["x"] + clean["width"] + box["x"]) / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".edge-tip")).to_contain_text("clean → add_up")
    expect(page.locator(".edge-tip")).to_contain_text(
        re.compile(r"list · 3 items · .* B")
    )  # what came of it in this run
    run = page.url
    page.get_by_role("link", name="Assets").click()
    page.get_by_role("button", name="2 ops: open totals").click(force=True)
    page.locator(".title", has_text="totals").get_by_role("button", name="1 op failed").click()
    expect(page.locator(".node.picked", has_text="add_up")).to_be_visible()
    expect(page.get_by_role("complementary")).to_contain_text("ZeroDivisionError: nothing to divide by")
    page.goto(run)
    page.get_by_role("button", name="Timetable").click()
    page.set_viewport_size({"width": 500, "height": 900})
    failure.get_by_role("link", name="in the graph").click()
    expect(failed).to_be_visible()
    box = failed.bounding_box()
    assert abs(box["x"] + box["width"] / 2 - 250) < 2
    assert box["height"] > 34
    (served.folder / "broken").unlink()
    resume = page.get_by_role("button", name=re.compile("^Resume"))
    expect(resume).to_contain_text("1 run · 2 reused")
    before = page.url
    resume.click()
    page.wait_for_function("before => location.href !== before", arg=before)
    expect(page.locator(".runhead .status")).to_have_text("succeeded")
    expect(page.locator(".runhead")).to_contain_text("goes on from")


def test_a_job_of_ops_as_a_graph(page: Any, served: Any) -> None:
    """A run of a job without assets has its graph too, nested ones open, with the failed op lit."""
    (served.folder / "broken").touch()
    page.goto(f"{served.url}/launch?job=nightly")
    page.locator(".main-action").click()
    page.wait_for_url(re.compile(r"/runs/[^/]+$"))
    expect(page.locator(".runhead .status")).to_have_text("failed")
    page.get_by_role("button", name="Graph", exact=True).click()
    expect(page.locator('.node[data-tone="ok"]', has_text="start")).to_be_visible()
    expect(page.locator('.node[data-tone="bad"]', has_text="double")).to_be_visible()
    expect(page.get_by_role("button", name="twice", exact=True)).to_have_attribute("aria-expanded", "true")
    (served.folder / "broken").unlink()


def test_resume_asks_for_what_an_op_needs_since(page: Any, served: Any) -> None:
    """Where the op that failed was given a setting without a default since, going on from the run asks for it."""
    (served.folder / "broken").touch()
    run_asset(page, served, "%2Btotals")
    expect(page.locator(".runhead")).to_contain_text("Resume runs totals.add_up, and reuses 2 ops")
    (served.folder / "broken").unlink()
    source = served.folder / "definitions.py"
    weight = "class Weight(Config):\n    weight: float\n\n\n@op\ndef add_up(rows, config: Weight):"
    source.write_text(served.project.replace("@op\ndef add_up(rows):", weight))
    try:
        resume = page.get_by_role("link", name=re.compile("^Resume"))
        expect(resume).to_contain_text("needs settings")
        resume.click()
        page.get_by_label("weight", exact=True).fill("2")
        expect(page.locator(".plan-step", has_text="add_up")).to_contain_text("run")
        page.get_by_role("button", name=re.compile("^Resume")).click()
        page.wait_for_url(re.compile("/runs/"))
        expect(page.locator(".runhead .status")).to_have_text("succeeded")
    finally:
        source.write_text(served.project)


def test_going_on_with_another_setting(page: Any, served: Any) -> None:
    """A setting that the run had stands in its field; with another one, what it changes runs again."""
    (served.folder / "broken").touch()
    run_asset(page, served, "%2Btotals")
    page.get_by_role("link", name="See the plan").click()
    changed = page.locator(".plan-step", has_text="clean").locator(".tag").first
    expect(changed).to_have_text("reuse")
    page.get_by_label("limit", exact=True).fill("2")
    expect(changed).to_have_text("run")
    (served.folder / "broken").unlink()
    page.get_by_role("button", name=re.compile("^Resume")).click()
    page.wait_for_url(re.compile("/runs/"))
    expect(page.locator(".runhead .status")).to_have_text("succeeded")
    expect(page.locator(".logs")).to_contain_text("limit is 2")


def test_one_op_again(page: Any, served: Any) -> None:
    """From an op that was chosen, a run goes on from there: the plan is shown first, with what is reused."""
    run_asset(page, served, "%2Btotals")
    expect(page.locator(".runhead .status")).to_have_text("succeeded")
    page.locator(".trow", has_text="add_up").click()
    page.get_by_role("link", name="From this op on").click()
    expect(page.locator(".plan-step", has_text="add_up")).to_contain_text("run")
    expect(page.locator(".tag.reuse").first).to_be_visible()
    page.get_by_role("button", name=re.compile("^Resume")).click()
    page.wait_for_url(re.compile("/runs/"))
    expect(page.locator(".runhead .status")).to_have_text("succeeded")


def test_fan_out_is_one_row_until_opened(page: Any, served: Any) -> None:
    """Prefect #16081: the forty mapped ops are one row with counts; opened, they are rows, and the one that failed says
    why."""
    (served.folder / "broken").touch()
    run_asset(page, served, "%2Bfanned")
    expect(page.locator(".runhead .status")).to_have_text("failed")
    (served.folder / "broken").unlink()
    fan = page.locator(".trow", has=page.get_by_text("double", exact=True))
    expect(fan).to_have_count(1)
    expect(fan).to_contain_text("1 failed")
    fan.get_by_role("button", name="Open double").click()
    expect(page.locator(".trow", has_text="k1").first).to_be_visible()
    page.get_by_role("treegrid").focus()
    expect(page.get_by_role("region", name="What failed")).to_contain_text("seven is not doubled")


def test_cancel(page: Any, served: Any) -> None:
    """A run is asked to stop, ends as canceled, and can be resumed."""
    run_asset(page, served, "%2Bpatient")
    expect(page.locator('.trow[data-tone="run"]', has_text="wait_for_it")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".runhead .status")).to_have_text("canceled")
    expect(page.get_by_role("button", name=re.compile("^Resume"))).to_contain_text("run")


def test_broken_project(page: Any, served: Any) -> None:
    """A file that does not load any more shows its error with file and line; what was loaded before is still seen,
    and runs can be planned once it loads again."""
    page.goto(served.url)
    expect(page.locator(".node")).to_have_count(4)
    source = served.folder / "definitions.py"
    source.write_text(served.project + "\nundefined_name\n")
    alert = page.get_by_role("alert", name="The definitions do not load")
    expect(alert).to_contain_text("undefined_name")
    expect(alert).to_contain_text(f"definitions.py:{len(served.project.splitlines()) + 2}")
    expect(page.locator(".node")).to_have_count(4)
    everything = page.get_by_role("link", name="Materialize all")
    expect(everything).to_have_count(0)
    page.get_by_role("link", name="Launch").click()
    run = page.get_by_role("button", name=re.compile("^Run"))
    expect(run).to_be_disabled()
    source.write_text(served.project)
    expect(alert).to_have_count(0)
    expect(run).to_be_enabled()
    page.get_by_role("link", name="Assets").click()
    expect(everything).to_be_visible()


def test_asset_page(page: Any, served: Any) -> None:
    """An asset's page has its value's facts, its versions, and its ops with what they kept, which can be removed."""
    for _ in range(2):  # a plot needs two versions
        run_asset(page, served, "%2Btotals")
        expect(page.locator(".runhead .status")).to_have_text("succeeded")
    page.goto(f"{served.url}/?view=list")
    page.get_by_role("link", name="totals").click()
    expect(page.get_by_text("Made from")).to_be_visible()
    page.get_by_role("tab", name=re.compile("Ops")).click()
    expect(page.locator("table.ops tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Clean intermediates").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("kept between the ops")
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_text(re.compile("^Removed"))).to_be_visible()
    page.get_by_role("tab", name="History").click()
    expect(page.locator(".plot").first).to_be_visible()


def test_list_of_runs(page: Any, served: Any) -> None:
    """A run that was just started is in the list and on the timeline; a filter without a match says so."""
    run_asset(page, served, "orders")
    expect(page.locator(".runhead .status")).to_have_text("succeeded")
    page.goto(f"{served.url}/runs")
    expect(page.locator(".runrow").first).to_contain_text("orders")
    expect(page.locator(".timeline .lane button").first).to_be_visible()
    page.get_by_label("Started by").fill("nobody-at-all")
    expect(page.get_by_text("No run is like that")).to_be_visible()


def test_the_key_that_failed_is_shown_from_its_link(page: Any, served: Any) -> None:
    """The link to the failed key of a fan-out opens the fan-out's row and shows that key's op."""
    (served.folder / "broken").touch()
    try:
        run_asset(page, served, "orders or fanned")
        link = page.get_by_role("link", name="fanned.double[k7]")
        link.click()
        expect(page.get_by_role("tab", name=re.compile(r"fanned\.double\[k7\]"))).to_be_visible()
        expect(page.locator('.trow[aria-selected="true"]')).to_contain_text("k7")
    finally:
        (served.folder / "broken").unlink()
