"""A drawing as SVG: no script, nothing from a network, light or dark as the reader's screen is."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files

from opgraph.show.draw.layout import BADGE, DETAIL, LABEL
from opgraph.show.draw.letters import BOLD, shortened, text_width
from opgraph.show.draw.model import Box, Drawing, Line
from opgraph.show.draw.names import name_of, places, stations

STYLE = files("opgraph.show.draw").joinpath("drawing.css").read_text(encoding="utf-8")
_KINDS = frozenset({"asset", "external", "graph", "op", "input", "output", "group"})
_STATES = frozenset(
    {
        "run", "reuse", "skip", "decide",
        "pending", "running", "retrying", "succeeded", "failed", "skipped", "blocked", "reused", "interrupted",
    }
)  # fmt: skip
_FLOWS = frozenset({"value", "order", "map", "collect"})
_SAID = {"order": "only orders: no value flows", "map": "one value at a time", "collect": "all together"}
_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML cannot hold
_TIP, _HALF = 7.0, 3.4  # an arrow's head: its length, half its width
_AWAY = 1.0  # from the box
_POINTED = 1_000  # lines, up to which each is made easy to point at


def to_svg(drawing: Drawing, title: str = "", least: int = 0) -> str:
    """The drawing as the text of an SVG file, or for the inside of an HTML page.

    Args:
        drawing: what `lay_out` gave.
        title: what the picture is of, for who cannot see it.
        least: pixels, the width to which a page may make it smaller; 0: as it likes.
    """
    # Lines that only order are dashed: they come first, so that those that carry a value stay whole.
    lines = sorted((line for line in drawing.lines if line.points), key=lambda line: line.kind != "order")
    holders = [box for box in drawing.boxes if box.holds]
    leaves = [box for box in drawing.boxes if not box.holds]
    size = f'width="{_n(drawing.width)}" height="{_n(drawing.height)}"'
    small = f' style="min-width:{least}px"' if least else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="opgraph" role="img" aria-label="{_safe(title or "a graph")}"',
        f'{size} viewBox="0 0 {_n(drawing.width)} {_n(drawing.height)}"{small}>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" {size} rx="10"/>',
        *map(_holder, holders),
        *(_line(line, wide=len(lines) <= _POINTED) for line in lines),
        *map(_leaf, leaves),
        *_names(lines),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _safe(text: str) -> str:
    return escape(_UNPRINTABLE.sub("\ufffd", text))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _classes(box: Box) -> str:
    names = [box.kind if box.kind in _KINDS else "op"]
    if box.state in _STATES:
        names.append(box.state)
    return " ".join(names)


def _group(box: Box, classes: str, inside: Iterable[str]) -> str:
    tip = box.title or box.label
    return f'<g class="{classes}"><title>{_safe(tip)}</title>{"".join(inside)}</g>'


def _rect(x: float, y: float, width: float, height: float, radius: float, name: str = "box") -> str:
    return f'<rect class="{name}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"/>'


def _text(x: float, y: float, name: str, text: str) -> str:
    return f'<text class="{name}" x="{_n(x)}" y="{_n(y)}">{_safe(text)}</text>'


def _pill(right: float, middle: float, text: str) -> list[str]:
    width = text_width(text, BADGE) + 12
    return [
        _rect(right - width, middle - 8, width, 16, 8, "pill"),
        f'<text class="badge" x="{_n(right - width / 2)}" y="{_n(middle + 3.5)}">{_safe(text)}</text>',
    ]


def _dot(x: float, y: float) -> str:
    return f'<circle class="dot" cx="{_n(x)}" cy="{_n(y)}" r="3.5"/>'


def _holder(box: Box) -> str:
    inside = [_rect(box.x, box.y, box.width, box.height, 10)]
    if box.mapped:
        inside.insert(0, _rect(box.x + 3, box.y + 3, box.width, box.height, 10, "behind"))
    x, room = box.x + 14, box.width - 28
    if box.state in _STATES:
        inside.append(_dot(x + 3, box.y + 18))
        x, room = x + 13, room - 13
    if box.badge:
        inside += _pill(box.x + box.width - 12, box.y + 18, box.badge)
        room -= text_width(box.badge, BADGE) + 20
    inside.append(_text(x, box.y + 22.5, "name", shortened(box.label, LABEL * BOLD, room)))
    return _group(box, f"{_classes(box)} holder {'odd' if box.depth % 2 else 'even'}", inside)


def _leaf(box: Box) -> str:
    radius = box.height / 2 if box.kind in ("input", "output") else 7.0
    inside = [_rect(box.x, box.y, box.width, box.height, radius)]
    if box.mapped:
        inside.insert(0, _rect(box.x + 3, box.y + 3, box.width, box.height, radius, "behind"))
    if box.kind == "asset":
        x, top, bottom = box.x + 0.5, box.y + 7, box.y + box.height - 7
        inside.append(f'<path class="mark" d="M{_n(x + 4)} {_n(top)}V{_n(bottom)}"/>')
    x, room, middle = box.x + 13, box.width - 24, box.y + box.height / 2
    if box.state in _STATES:
        inside.append(_dot(x + 2.5, middle - (8 if box.detail else 0)))
        x, room = x + 12, room - 12
    if box.badge:
        inside += _pill(box.x + box.width - 8, middle - (8 if box.detail else 0), box.badge)
        room -= text_width(box.badge, BADGE) + 16
    label = shortened(box.label, LABEL * BOLD, room)
    inside.append(_text(x, middle + (-3.5 if box.detail else 4.5), "name", label))
    if box.detail:
        inside.append(_text(box.x + 13, middle + 13.5, "detail", shortened(box.detail, DETAIL, box.width - 24)))
    return _group(box, _classes(box), inside)


def _line(line: Line, *, wide: bool) -> str:
    points = list(line.points)
    # The last stretch ends where the arrow's head begins. It always comes from the left: lines enter there.
    x, y = points[-2] - _AWAY, points[-1]
    points[-2] = x - _TIP + 1
    points[-4] = min(points[-4], points[-2])
    numbers = [_n(each) for each in points]
    path = f"M{numbers[0]} {numbers[1]}" + "".join(
        f"C{' '.join(numbers[i : i + 6])}" for i in range(2, len(numbers), 6)
    )
    kind = line.kind if line.kind in _FLOWS else "value"
    head = f"M{_n(x)} {_n(y)}l{_n(-_TIP)} {_n(-_HALF)}v{_n(2 * _HALF)}z"
    told = f"{line.source.partition(':')[2]} \u2192 {line.target.partition(':')[2]}\n{line.said or _SAID.get(kind, '')}"
    near = f'<path class="near" d="{path}"/>' if wide else ""  # not seen: what one points at
    drawn = f'<path class="way" d="{path}"/><path class="tip" d="{head}"/>'
    return f'<g class="{kind}"><title>{_safe(told.strip())}</title>{drawn}{near}</g>'


def _names(lines: Sequence[Line]) -> Iterator[str]:
    """What flows along the lines, on those that have room for it."""
    ways = [stations(line) for line in lines]
    for line, way, place in zip(lines, ways, places(lines, ways), strict=True):
        if place >= 0:
            x, y = (way[2 * place] + way[2 * place + 2]) / 2, (way[2 * place + 1] + way[2 * place + 3]) / 2
            yield _text(x, y + 3.5, "flow", name_of(line.label))
