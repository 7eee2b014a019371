"""Every snippet of every page runs, prints what the page shows, and every link leads somewhere."""

import re
from pathlib import Path

import pytest
from snippets import Difference, Reader, matches

from opgraph.not_yet import NOT_YET

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_happens(page, tmp_path):
    """All that a page shows, typed into an empty directory from top to bottom, does what the page says it does."""
    Reader(str(page.relative_to(ROOT)), tmp_path.resolve()).play(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """A relative link of a page names a file of the repository, and a heading of it where it names one."""
    broken = []
    for link, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / link if link else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append((link, anchor))
    assert broken == []


def test_what_is_not_there_yet():
    """The names that the page for people who come from Dagster lists as missing are those that raise, and the names it
    lists as being there do not."""
    page = (ROOT / "docs" / "from-dagster.md").read_text(encoding="utf-8")
    missing = page.partition("## Not there yet")[2].partition("\n## ")[0]
    there = page.partition("## The same")[2].partition("\n## ")[0]
    listed = re.findall(r"`([A-Z]\w+)`", missing.rpartition("```")[2])
    assert listed
    assert set(listed) <= set(NOT_YET)
    assert not set(re.findall(r"`([A-Z]\w+)`", there)) & set(NOT_YET)


def anchors(page):
    """The names that the headings of a page have in links to it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


WRONG = [
    ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "the program prints something else"),
    ("```python\nraise SystemExit(3)\n```\n", "the program ends with exit code 3"),
    ("```console\n$ echo one\ntwo\n```\n", "`echo one` prints something else"),
    ("```console\n$ false\n```\n", "`false` ends with exit code 1"),
    ("```console\n$ true  # exit code 1\n```\n", "ends with exit code 0"),
]


@pytest.mark.parametrize(("text", "what"), WRONG)
def test_a_page_that_is_wrong_is_found(text, what, tmp_path):
    """A page that shows another output or exit code than the real one fails, and the message says where."""
    with pytest.raises(Difference, match=re.escape(what)) as found:
        Reader("page.md", tmp_path).play(text)
    assert found.value.line in (1, 2, 5)


def test_files_of_a_page_stay(tmp_path):
    """A block that begins with a file's name is that file for all that comes after it, until it is shown again."""
    page = (
        "```python\n# one.py\nX = 1\n```\n```python\nimport one\nprint(one.X)\n```\n```text\n1\n```\n"
        "```python\n# one.py\nX = 2\n```\n```console\n$ python -c 'import one; print(one.X)'\n2\n```\n"
    )
    assert Reader("page.md", tmp_path).play(page) == page


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("took  3 ms\n", "took 12.5 s\n", True),
        ("a\n...\nz\n", "a\nb\nc\nz\n", True),
        ("a\n...\n", "b\n", False),
        ("3 ran\n", "4 ran\n", False),
        ("a\n", "a\nb\n", False),
    ],
)
def test_only_what_varies_is_not_compared(shown, printed, same):
    """Times may differ and `...` stands for any lines; a number or a line more is a difference."""
    assert matches(shown, printed) is same


def test_an_id_that_a_page_shows_can_be_typed(tmp_path):
    """An id in a page's output stands for the one of this time in the commands below it."""
    page = (
        "```console\n$ python -c 'import uuid; print(uuid.uuid4())' | tee id\n11111111-2222-4333-8444-555555555555\n"
        "$ grep -c 11111111-2222-4333-8444-555555555555 id\n1\n```\n"
    )
    Reader("page.md", tmp_path).play(page)
