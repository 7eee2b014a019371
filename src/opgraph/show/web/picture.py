"""A drawing as the pages take it: lists of what all boxes and all lines have, in few and short numbers.

Laying out thousands of ops takes about a second, so a large drawing is kept in the project's folder, under a name made
of all that it was laid out from: it is there again after a restart, and after an edit that draws nothing else.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import structs

from opgraph import __version__
from opgraph.show.draw.layout import lay_out
from opgraph.show.draw.letters import BOLD, text_width
from opgraph.show.draw.model import Box, Drawing, Node, Scene
from opgraph.show.draw.names import name_of, places, stations
from opgraph.show.web.ids import asset_id

_SMALL = frozenset({"op", "graph", "input", "output"})
_WORTH_KEEPING = 500  # nodes and edges
_KEPT = 64  # drawings of a project


def picture(scene: Scene, folder: Path) -> bytes:
    """The drawing of a scene as JSON, an object without the manifest's id.

    Args:
        scene: what is to be drawn.
        folder: where large drawings are kept; made when the first one is.
    """
    nodes = list(_roomy(scene.nodes))
    if len(nodes) + len(scene.edges) < _WORTH_KEEPING:
        return _compact(lay_out(nodes, scene.edges))
    name = blake2b(msgspec.msgpack.encode((__version__, nodes, scene.edges)), digest_size=16).hexdigest()
    path = folder / f"{name}.json"
    with suppress(OSError):
        return path.read_bytes()
    made = _compact(lay_out(nodes, scene.edges))
    with suppress(OSError):  # a full disk: it is made again next time
        _keep(path, made)
    return made


def _keep(path: Path, made: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.touch(mode=0o600)
    part.write_bytes(made)
    part.replace(path)
    for each in sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime)[:-_KEPT]:
        each.unlink(missing_ok=True)


def _roomy(nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes with room for the line that the pages write below each name: status, age, duration."""
    holders = {node.parent for node in nodes}
    for node in nodes:
        if node.id in holders:
            yield node
        else:
            badge = text_width(node.badge, 11) + 34 if node.badge else 0
            words = text_width(node.label, 13) * BOLD + badge + (60 if node.mapped and node.opens else 0) + 28
            least, height = (132, 38) if node.kind in _SMALL else (176, 46)
            yield structs.replace(node, width=min(300, max(least, words)), height=height)


def _compact(drawing: Drawing) -> bytes:
    boxes = drawing.boxes
    lines = [line for line in drawing.lines if line.points]
    number = {box.id: i for i, box in enumerate(boxes)}
    points: list[int] = []
    until: list[int] = []
    ways = [stations(line) for line in lines]
    for way in ways:
        points += way
        until.append(len(points))
    left, top = [round(box.x) for box in boxes], [round(box.y) for box in boxes]
    return msgspec.json.encode(
        {
            "width": drawing.width,
            "height": drawing.height,
            "nodes": {
                "id": [box.id for box in boxes],
                "kind": [box.kind for box in boxes],
                "label": [box.label for box in boxes],
                "detail": [box.detail for box in boxes],
                "title": [_title(box) for box in boxes],
                "badge": [box.badge for box in boxes],
                "parent": [-1 if box.parent is None else number[box.parent] for box in boxes],
                "x": left,
                "y": top,
                "width": [round(box.x + box.width) - x for box, x in zip(boxes, left, strict=True)],
                "height": [round(box.y + box.height) - y for box, y in zip(boxes, top, strict=True)],
                "asset": [asset_id(box.ref) if box.kind in ("asset", "external") else "" for box in boxes],
                "opens": [int(box.opens) for box in boxes],
                "mapped": [int(box.mapped) for box in boxes],
            },
            "edges": {
                "source": [number[line.source] for line in lines],
                "target": [number[line.target] for line in lines],
                "kind": [line.kind for line in lines],
                "label": [name_of(line.label) for line in lines],
                "said": [line.said for line in lines],
                "at": places(lines, ways),
                "until": until,
                "points": points,
            },
        }
    )


def _title(box: Box) -> str:
    """What is said in full, where it is more than the name that the page has anyway."""
    return "" if box.title == (box.ref or box.label) else box.title
