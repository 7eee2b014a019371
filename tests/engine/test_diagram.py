"""The documentation shows the table as it is."""

import os
import re
from pathlib import Path

import pytest
from engine_diagram import chart, mermaid

PAGE = Path(__file__).parents[2] / "docs" / "engine.md"


@pytest.mark.parametrize(("name", "content"), [("diagram", f"```mermaid\n{mermaid()}\n```"), ("table", chart())])
def test_the_page_is_current(name, content):
    """docs/engine.md holds the diagram and the table that the code draws; OPGRAPH_WRITE_DOCS=1 writes them there."""
    page = PAGE.read_text()
    current = re.sub(
        f"(<!-- {name} -->\n).*(<!-- /{name} -->)", lambda m: f"{m[1]}{content}\n{m[2]}", page, flags=re.DOTALL
    )
    if os.environ.get("OPGRAPH_WRITE_DOCS"):
        PAGE.write_text(current)
    assert f"<!-- {name} -->" in page
    assert PAGE.read_text() == current
