"""The text of a picture: well formed, harmless whatever names are in it, complete in itself."""

import random
import re
from xml.etree import ElementTree as ET

from opgraph.show.draw.layout import lay_out
from opgraph.show.draw.letters import shortened, text_width
from opgraph.show.draw.model import Edge, Node
from opgraph.show.draw.svg import to_svg

SPACE = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>", "</text><script>alert(1)</script>", "]]><script>", "</style><script>", '"><img src=x>',
    "' onload='alert(1)", '" onmouseover="x', "javascript:alert(1)", "<!--", "-->", "<![CDATA[", "&lt;", "&#60;script",
    "<foreignObject>", "<use href='#x'/>", "url(https://a.example)", "\u202e", "\ud800", "\x00", "\x1b[31m", "\uffff",
    "é" * 5, "表" * 40, "🙂", "</title>", "<a href=x>", "\\", "`", "%3Cscript%3E", "{}", "\u2028",
]  # fmt: skip

ATTRIBUTES = {"class", "role", "aria-label", "width", "height", "viewBox", "rx", "x", "y", "d", "cx", "cy", "r"}
CLASSES = {
    "opgraph", "page", "op", "holder", "odd", "even", "box", "behind", "name", "detail", "badge", "pill", "way", "tip",
    "value", "near", "flow",
}  # fmt: skip


def _hostile(count):
    source = random.Random(7)
    for _ in range(count):
        yield "".join(source.choice(HOSTILE) for _ in range(source.randint(1, 4)))


def test_hostile_names_are_only_text():
    """Of 500 hostile names none becomes an element, an attribute or a style: each is text, in every place it stands."""
    names = list(_hostile(500))
    nodes = [
        Node(
            id=f"{i}{name}", label=name, kind=name, detail=name, title=name, badge=name[:12], state=name, ref=name,
            parent=f"{i - 1}{names[i - 1]}" if i % 10 in (1, 2) else None,
        )
        for i, name in enumerate(names)
    ]  # fmt: skip
    edges = [Edge(a.id, b.id, a.label, a.label) for a, b in zip(nodes, nodes[5:], strict=False)]
    text = to_svg(lay_out(nodes, edges), names[0])
    root = ET.fromstring(text.encode())
    assert {each.tag for each in root.iter()} <= {
        SPACE + tag for tag in ("svg", "style", "rect", "g", "title", "path", "text", "circle")
    }
    attributes = {name for each in root.iter() for name in each.attrib}
    assert attributes <= ATTRIBUTES
    assert {word for each in root.iter() for word in each.get("class", "").split()} <= CLASSES
    assert len(root.findall(f"{SPACE}style")) == 1


def test_what_is_cut_is_told_in_full():
    """A name too long for its box is cut in the middle, and is whole where one points at it."""
    name = "a_name_that_is_much_longer_than_a_box_can_ever_be_made_2024"
    root = ET.fromstring(to_svg(lay_out([Node(id="a", label=name, kind="op")], [])))
    (shown,) = [each.text for each in root.iter(f"{SPACE}text")]
    assert "…" in shown
    assert name.startswith(shown.split("…")[0])
    assert name.endswith(shown.split("…")[1])
    assert [each.text for each in root.iter(f"{SPACE}title")] == [name]


def test_a_line_tells_what_flows():
    """Where one points at a line, its ends are said and each value in full, or that nothing flows; the name that says
    more than the ends is written on it."""
    nodes = [Node(id=f"op:{each}", label=each, kind="op") for each in "abc"]
    edges = [Edge("op:a", "op:b", "rows", "value", "rows \u2192 table: list[int]"), Edge("op:b", "op:c", "", "order")]
    root = ET.fromstring(to_svg(lay_out(nodes, edges)))
    told = [each.text for each in root.iter(f"{SPACE}title")]
    assert {"a \u2192 b\nrows \u2192 table: list[int]", "b \u2192 c\nonly orders: no value flows"} <= set(told)
    assert [each.text for each in root.iter(f"{SPACE}text") if each.get("class") == "flow"] == ["rows"]
    (dashed,) = [each for each in root.iter(f"{SPACE}g") if each.get("class") == "order"]
    assert dashed.find(f"{SPACE}title").text.startswith("b")


def test_complete_in_itself():
    """A picture names nothing outside itself, and has colours for light and for dark screens."""
    text = to_svg(lay_out([Node(id="a", label="a", kind="asset")], []))
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"url\(|@import|<script|href", text)


def test_every_colour_has_a_name():
    """Each colour that the style uses is defined, in both themes."""
    text = to_svg(lay_out([], []))
    light, dark = text.split("@media", 1)
    used = set(re.findall(r"var\((--\w+)\)", text))
    assert used == set(re.findall(r"(--\w+):", light)) == set(re.findall(r"(--\w+):", dark))


def test_widths():
    """A text is wider the more letters it has, and what is shortened fits."""
    assert text_width("iii", 10) < text_width("mmm", 10)
    assert text_width("表", 10) == 10
    for name in _hostile(50):
        assert text_width(shortened(name, 13, 60), 13) <= 60
