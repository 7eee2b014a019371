"""Selections from text: what each form means, and where a mistake is."""

import pytest

from opgraph.declare.assets.selection import AssetSelection
from opgraph.declare.assets.selection_words import InvalidSelectionError

s = AssetSelection
a, b = s.keys("a"), s.keys("b")

READ = {
    "a": a,
    "a/b": s.keys("a/b"),
    '"a/b"': s.keys("a/b"),
    "*": s.all(),
    "*a": a.upstream(),
    "+a": a.upstream(),
    "++a": a.upstream(2),
    "3+a": a.upstream(3),
    "a*": a.downstream(),
    "a+": a.downstream(),
    "a+2": a.downstream(2),
    "1+a+2": a.upstream(1) | a.downstream(2),
    "group:x": s.groups("x"),
    "tag:k=v": s.tag("k", "v"),
    'tag:"k"="v"': s.tag("k", "v"),
    "tag:k": s.tag("k", None),
    "kind:x": s.kind("x"),
    "owner:team:x": s.owner("team:x"),
    "a or b and group:x": a | (b & s.groups("x")),
    "(a or b) and group:x": (a | b) & s.groups("x"),
    "not a": s.all() - a,
    "a and not b": a - b,
    "a, b": a | b,
    "roots(a or b)": (a | b).roots(),
    "sinks(*)+": s.all().sinks().downstream(),
    "+missing": s.all().missing().child and s.from_string("missing"),
    "a +missing": a | a.upstream().missing(),
    "key:a+": a.downstream(),
    "key:a++": a.downstream(2),
    "1+key:a+2": a.upstream(1) | a.downstream(2),
    "(key:a+) and key:b": a.downstream() & b,
    "key:a+missing": a | a.upstream().missing(),
    'key:"a/b"+': s.keys("a/b").downstream(),
    'tag:"k"="v"+': s.tag("k", "v").downstream(),
    "group:x+": s.groups("x").downstream(),
    "owner:a+b@c.de": s.owner("a+b@c.de"),
    'key:"a+"': s.keys("a+"),
}


@pytest.mark.parametrize("text", READ)
def test_read(text):
    """Each form of the text is the selection that the methods build."""
    assert s.from_string(text) == READ[text]


@pytest.mark.parametrize("text", [*READ, 'key:"raw/*"'])
def test_written(text):
    """A selection's text reads back as a selection with the same text."""
    written = str(s.from_string(text))
    assert str(s.from_string(written)) == written


WRONG = {
    "a b": (2, "join two selections"),
    "a and": (5, "write `my_asset`"),
    "grp:x": (0, "did you mean `group:`?"),
    "(a": (2, "close what was opened"),
    "a ^ b": (2, "into quotes"),
    "a or key:": (5, "`key:x`"),
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong(text):
    """A text that is no selection names the place and the fix."""
    position, fix = WRONG[text]
    with pytest.raises(InvalidSelectionError) as caught:
        s.from_string(text)
    assert caught.value.position == position
    assert fix in caught.value.fix
