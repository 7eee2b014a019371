"""Drawings as the pages take them."""

import os

import msgspec

from opgraph.show.draw.layout import lay_out
from opgraph.show.draw.model import Edge, Node, Scene
from opgraph.show.web.picture import picture


def scene(count: int, edges: list[Edge]) -> Scene:
    """Some ops."""
    return Scene(tuple(Node(id=f"op:{i}", label=str(i), kind="op") for i in range(count)), tuple(edges))


def test_every_curve_of_a_line_is_told_by_its_ends(tmp_path):
    """A line through a lane, one that goes back and one in a circle have a station for the end of each curve; only
    where a line turns around is one straight above the one before."""
    edges = [
        Edge("op:0", "op:1"),
        Edge("op:1", "op:2"),
        Edge("op:0", "op:2"),
        Edge("op:2", "op:0"),
        Edge("op:1", "op:1"),
    ]
    sent = msgspec.json.decode(picture(scene(3, edges), tmp_path))
    drawing = lay_out(scene(3, edges).nodes, edges)
    points, begin, turns = sent["edges"]["points"], 0, []
    for line, until in zip(drawing.lines, sent["edges"]["until"], strict=True):
        way = points[begin:until]
        assert len(way) == 2 + (len(line.points) - 2) // 3
        turns.append(sum(way[i] == way[i - 2] for i in range(2, len(way), 2)))
        begin = until
    assert turns == [0, 0, 0, 2, 2]


def test_a_large_drawing_is_kept_and_found_again(tmp_path):
    """It is laid out once; another scene has a file of its own; nobody else may read them; small ones are not kept."""
    folder = tmp_path / "drawings"
    chain = [Edge(f"op:{i}", f"op:{i + 1}") for i in range(299)]
    picture(scene(3, chain[:2]), folder)
    assert not folder.exists()
    made = picture(scene(300, chain), folder)
    [kept] = folder.iterdir()
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (made, 0o600, 0o700)
    kept.write_bytes(b"{}")
    assert picture(scene(300, chain), folder) == b"{}"
    picture(scene(300, chain[:-1]), folder)
    assert len(list(folder.iterdir())) == 2


def test_few_drawings_are_kept(tmp_path):
    """Of more than 64, the ones that were made first go."""
    for i in range(70):
        (tmp_path / f"{i}.json").touch()
        os.utime(tmp_path / f"{i}.json", (i, i))
    picture(scene(600, []), tmp_path)
    names = {each.name for each in tmp_path.iterdir()}
    assert len(names) == 64
    assert {"6.json", "7.json"} & names == {"7.json"}


def test_a_drawing_that_cannot_be_kept_is_drawn(tmp_path):
    """A folder that cannot be written to costs time only."""
    (tmp_path / "file").touch()
    assert picture(scene(600, []), tmp_path / "file") == picture(scene(600, []), tmp_path / "drawings")
