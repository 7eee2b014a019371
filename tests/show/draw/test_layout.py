"""Where things are put: nothing overlaps, lines go to the right and through no box."""

import time
from collections import Counter
from itertools import combinations, pairwise

import pytest
from benchmarks import drawing as shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from opgraph.show.draw import abreast, layout, rows
from opgraph.show.draw.layout import lay_out
from opgraph.show.draw.letters import text_width
from opgraph.show.draw.model import Drawing, Edge, Node
from opgraph.show.draw.names import places, stations

NEAR = 0.35  # pixels: places are rounded to a tenth


@st.composite
def scenes(draw, *, circles=False):
    """Nodes nested in one another up to four deep, and edges between leaves and boxes of any depth."""
    count = draw(st.integers(1, 16))
    parents, depth = [None] * count, [0] * count
    for i in range(1, count):
        parent = draw(st.one_of(st.none(), st.integers(0, i - 1)))
        if parent is not None and depth[parent] < 3:
            parents[i], depth[i] = parent, depth[parent] + 1
    nodes = [
        Node(
            id=str(i),
            label="n" * draw(st.integers(1, 40)),
            kind="op",
            parent=None if parents[i] is None else str(parents[i]),
            detail=draw(st.sampled_from(["", "detail"])),
            badge=draw(st.sampled_from(["", "3 ops"])),
            state=draw(st.sampled_from(["", "run"])),
        )
        for i in range(count)
    ]
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=24))
    if not circles:  # leaves only, by number, so that neither they nor the boxes around them form a circle
        tops = [_top(parents, i) for i in range(count)]
        leaves = set(range(count)) - set(parents)
        pairs = [(a, b) for a, b in pairs if {a, b} <= leaves and a < b and tops[a] <= tops[b]]
        pairs = [(a, b) for a, b in pairs if tops[a] < tops[b] or parents[a] == parents[b]]
    return nodes, [Edge(str(a), str(b)) for a, b in pairs]


def _top(parents, i):
    while parents[i] is not None:
        i = parents[i]
    return i


def _around(boxes, box):
    """The ids of the boxes that a box lies in, and its own."""
    found = {box.id}
    while box.parent is not None:
        box = boxes[box.parent]
        found.add(box.id)
    return found


def _on(line):
    """Points on a line, sixteen for each of its curves."""
    p = line.points
    for i in range(2, len(p), 6):
        x0, y0, x1, y1, x2, y2, x3, y3 = p[i - 2 : i + 6]
        for step in range(17):
            t = step / 16
            a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3
            yield a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3


def _check_boxes(drawing):
    boxes = {box.id: box for box in drawing.boxes}
    for box in drawing.boxes:
        outer = boxes.get(box.parent)
        left, top, right, bottom = (
            (outer.x, outer.y, outer.x + outer.width, outer.y + outer.height)
            if outer
            else (0, 0, drawing.width, drawing.height)
        )
        assert left < box.x
        assert top < box.y
        assert box.x + box.width < right
        assert box.y + box.height < bottom
    for a, b in combinations(drawing.boxes, 2):
        if a.parent == b.parent:
            beside = a.x + a.width < b.x or b.x + b.width < a.x
            assert beside or a.y + a.height < b.y or b.y + b.height < a.y


def _check_lines(drawing):
    boxes = {box.id: box for box in drawing.boxes}
    for line in drawing.lines:
        ends = _around(boxes, boxes[line.source]) | _around(boxes, boxes[line.target])
        points = list(_on(line))
        for box in drawing.boxes:
            if box.id not in ends:
                inside = [
                    (x, y)
                    for x, y in points
                    if box.x + NEAR < x < box.x + box.width - NEAR and box.y + NEAR < y < box.y + box.height - NEAR
                ]
                assert not inside, (line, box)


def _check_rightwards(drawing):
    boxes = {box.id: box for box in drawing.boxes}
    for line in drawing.lines:
        xs = [x for x, _ in _on(line)]
        assert all(b >= a - NEAR for a, b in zip(xs, xs[1:], strict=False)), line
        source, target = boxes[line.source], boxes[line.target]
        assert abs(line.points[0] - source.x - source.width) < NEAR
        assert source.y <= line.points[1] <= source.y + source.height
        assert abs(line.points[-2] - target.x) < NEAR
        assert target.y <= line.points[-1] <= target.y + target.height


@given(scenes(circles=True))
@settings(max_examples=150, deadline=None)
def test_boxes_have_their_own_place(scene):
    """Boxes of one parent never overlap, and lie inside it, whatever the edges are."""
    _check_boxes(lay_out(*scene))


@given(scenes(circles=True))
@settings(max_examples=150, deadline=None)
def test_no_line_runs_through_a_box(scene):
    """A line touches no box but those at its ends and around them, also where it goes back."""
    _check_lines(lay_out(*scene))


@given(scenes())
@settings(max_examples=150, deadline=None)
def test_lines_go_to_the_right(scene):
    """Without circles, a line begins at its source's right side, never goes back, and ends at its target's left, if
    nothing is folded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_READ", 0.0)
        drawing = lay_out(*scene)
    _check_rightwards(drawing)


@given(scenes(circles=True))
@settings(max_examples=50, deadline=None)
def test_the_same_again(scene):
    """The same nodes and edges give the same drawing."""
    nodes, edges = scene
    assert lay_out(nodes, edges) == lay_out(list(nodes), list(edges))


def _op(name, parent=None):
    return Node(id=name, label=name, kind="op", parent=parent)


def test_a_chain_is_straight():
    """A chain is one row, and so is what leads into a nested box and out of it."""
    nodes = [_op("a"), _op("box"), _op("b", "box"), _op("inner", "box"), _op("c", "inner"), _op("d")]
    drawing = lay_out(nodes, [Edge("a", "b"), Edge("b", "c"), Edge("c", "d")])
    assert len({round(y) for line in drawing.lines for y in line.points[1::2]}) == 1


@pytest.mark.parametrize("inside", [False, True])
def test_a_long_chain_is_folded(inside):
    """A strip much longer than high becomes rows as long as each other, also in a box, and its lines go around
    its boxes into the next row; a short one stays a row."""
    box = "box" if inside else None
    nodes = [_op("start"), *([_op("box")] if inside else []), *(_op(f"step_{i}", box) for i in range(90)), _op("end")]
    steps = [node.id for node in nodes if node.id.startswith("step")]
    edges = [Edge(a, b) for a, b in pairwise(["start", *steps, "end"])]
    edges += [Edge("start", "step_50"), Edge("step_3", "step_60"), *(Edge(a, b) for a, b in pairwise(steps[::9]))]
    drawing = lay_out(nodes, edges)
    _check_boxes(drawing)
    _check_lines(drawing)
    assert 1 < drawing.width / drawing.height < 5
    assert drawing.width < 2_400
    assert lay_out([_op(each) for each in steps[:10]], [Edge(a, b) for a, b in pairwise(steps[:10])]).height < 70


def test_what_is_long_and_flat_is_folded_where_more_of_it_can_be_read_then():
    """A chain somewhat longer than a screen is folded in the box that it is in; not, if it is high besides."""
    steps = [_op(f"step_{i}", "box") for i in range(14)]
    around = [_op("a"), _op("box"), _op("b")]
    edges = [Edge(x, y) for x, y in pairwise(["a", *(step.id for step in steps), "b"])]
    drawing = lay_out([*around, *steps], edges)
    _check_boxes(drawing)
    _check_lines(drawing)
    assert drawing.width < 1_200
    high = [structs.replace(step, height=500.0) for step in steps]
    assert lay_out([*around, *high], edges).width > 1_600


def test_a_few_columns_stay_a_strip():
    """Four wide groups, and a strip that many lines would have to run back in, are not folded: a look takes them in."""
    nodes = [_op(each) for each in "abcd"] + [structs.replace(_op(f"{each}.", each), width=400.0) for each in "abcd"]
    strip = lay_out(nodes, [Edge(x, y) for x, y in pairwise(["a.", "b.", "c.", "d."])])
    _check_rightwards(strip)
    assert strip.width > 1_700
    chains = [[_op(f"{row}{i}") for i in range(14)] for row in "xyz"]
    edges = [Edge(x.id, y.id) for row in chains for x, y in pairwise(row)]
    edges += [Edge("x0", "y3"), Edge("y0", "z3")]
    _check_rightwards(lay_out([op for row in chains for op in row], edges))


def _beside_one_another(count, box=None):
    """Chains of three between one start and one end, which a line passes by; what is `side` goes into some of them."""
    nodes = [_op("start"), _op("side"), *([_op("box")] if box else []), _op("merge", box), _op("end")]
    edges = [Edge("start", "merge"), Edge("merge", "end"), Edge("start", "end")]
    for i in range(count):
        nodes += [_op(f"{step}{i}", box) for step in "abc"]
        edges += [Edge("start", f"a{i}"), Edge(f"a{i}", f"b{i}"), Edge(f"b{i}", f"c{i}"), Edge(f"c{i}", "merge")]
        edges += [Edge("side", f"b{i}")] if i % 3 == 0 else []
    return nodes, edges


@pytest.mark.parametrize("box", [None, "box"])
def test_many_chains_stand_in_columns(box):
    """Chains below one another, much higher than wide, are put in columns beside one another, also in a box; lines to
    and from them run above and below the columns, to the right only and through no box."""
    scene = _beside_one_another(90, box)
    drawing = lay_out(*scene)
    _check_boxes(drawing)
    _check_lines(drawing)
    _check_rightwards(drawing)
    assert 1 < drawing.width / drawing.height < 3
    assert lay_out(*_beside_one_another(10, box)).width < 1_000


@pytest.mark.parametrize("groups", [1, 8])
def test_groups_of_leaves_stand_in_columns(groups):
    """So do ops of one rank, whichever of a few sources each is from; and what has many sources stays as it was."""
    nodes, edges = [_op("start"), _op("end")], []
    for i in range(groups):
        nodes += [_op(f"g{i}"), *(_op(f"{i}.{k}") for k in range(400 // groups))]
        edges.append(Edge("start", f"g{i}"))
        edges += [Edge(*pair) for k in range(400 // groups) for pair in ((f"g{i}", f"{i}.{k}"), (f"{i}.{k}", "end"))]
    drawing = lay_out(nodes, edges)
    _check_boxes(drawing)
    _check_lines(drawing)
    _check_rightwards(drawing)
    assert 1 < drawing.width / drawing.height < 3


@st.composite
def bundles(draw):
    """Short chains side by side, of which each begins or ends in any of a few others, which depend on one another."""
    few = draw(st.integers(1, 4))
    nodes, edges = [_op("box")], [Edge(f"in{i}", f"in{i + 1}") for i in range(few - 1) if draw(st.booleans())]
    for side in ("in", "out"):
        around = draw(st.sampled_from([None, "box"]))
        nodes += [_op(f"{side}{i}", around) for i in range(few)]
    for i in range(draw(st.integers(4, 14))):
        chain = [f"{i}.{k}" for k in range(draw(st.integers(1, 3)))]
        nodes += [_op(each, "box") for each in chain]
        edges += [Edge(a, b) for a, b in pairwise(chain)]
        for k in draw(st.sets(st.integers(0, few - 1), max_size=2)):
            edges.append(Edge(f"in{k}", draw(st.sampled_from(chain))))
        for k in draw(st.sets(st.integers(0, few - 1), max_size=2)):
            edges.append(Edge(draw(st.sampled_from(chain)), f"out{k}"))
    edges += [Edge("in0", f"out{few - 1}")] if draw(st.booleans()) else []
    return nodes, edges


@given(bundles())
@settings(max_examples=150, deadline=None)
def test_columns_break_nothing(scene):
    """What holds for all drawings holds for those in columns, whatever is broken. Rows, which turn back, are off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_READ", 0.0)
        for name in ("_LONG", "_SHORT"):
            patch.setattr(rows, name, float("inf"))
        for name, value in {"TALL": 60.0, "_NARROW": 0.0, "_LEAST": 1.0, "SHAPE": 30.0}.items():
            patch.setattr(abreast, name, value)
        drawing = lay_out(*scene)
    _check_boxes(drawing)
    _check_lines(drawing)
    _check_rightwards(drawing)


def test_a_few_very_wide_boxes_are_not_folded_for_ever():
    """A row of boxes that are longer than a row could be has an end."""
    nodes = [node for i in range(3) for node in (_op(f"b{i}"), *(_op(f"{i}_{k}", f"b{i}") for k in range(12)))]
    chain = [node.id for node in nodes if node.parent]
    _check_boxes(lay_out([structs.replace(node, width=240.0) for node in nodes], [Edge(*e) for e in pairwise(chain)]))


@given(scenes())
def test_names_cover_nothing(scene):
    """A name on a line covers no box but those around the line's ends, and no other name."""
    nodes, edges = scene
    drawing = lay_out(nodes, [structs.replace(edge, label=f"name_{i % 5}") for i, edge in enumerate(edges)])
    lines = [line for line in drawing.lines if line.points]
    ways = [stations(line) for line in lines]
    names = []
    for line, way, at in zip(lines, ways, places(lines, ways), strict=True):
        if at >= 0:
            x, y = (way[2 * at] + way[2 * at + 2]) / 2, (way[2 * at + 1] + way[2 * at + 3]) / 2
            half = text_width(line.label, 11) / 2
            names.append((x - half, y - 5, x + half, y + 5))
    leaves = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in drawing.boxes if not box.holds]
    for i, one in enumerate(names):
        for other in names[i + 1 :] + leaves:
            assert not (one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3])


def test_few_crossings():
    """Two rows whose edges are given crosswise are drawn without a crossing."""
    nodes = [_op(f"{side}{i}") for side in "ab" for i in range(6)]
    drawing = lay_out(nodes, [Edge(f"a{i}", f"b{5 - i}") for i in range(6)])
    assert all(len(set(line.points[1::2])) == 1 for line in drawing.lines)


def test_lines_of_one_source_run_together():
    """Edges from one source into one box cross its border at one place."""
    nodes = [_op("a"), _op("box"), *(_op(f"b{i}", "box") for i in range(5))]
    drawing = lay_out(nodes, [Edge("a", f"b{i}") for i in range(5)])
    left = next(box.x for box in drawing.boxes if box.id == "box")
    at = {p for line in drawing.lines for p in zip(line.points[::2], line.points[1::2], strict=True) if p[0] == left}
    assert len(at) == 1


def test_a_circle_goes_back_outside_the_boxes():
    """An edge that closes a circle leaves to the right and comes in from the left, as the others do."""
    drawing = lay_out([_op("a"), _op("b")], [Edge("a", "b"), Edge("b", "a"), Edge("a", "a")])
    _check_boxes(drawing)
    _check_lines(drawing)
    boxes = {box.id: box for box in drawing.boxes}
    back = drawing.lines[1]
    assert back.points[0] == boxes["b"].x + boxes["b"].width
    assert back.points[-2] == boxes["a"].x


def test_loose_things_fill_a_page():
    """Things without edges stand in rows, not in one long column."""
    drawing = lay_out([_op(f"op{i}") for i in range(100)], [])
    assert 0.5 < drawing.width / drawing.height < 4


def test_nothing():
    """Nothing at all is a small empty picture."""
    drawing = lay_out([], [])
    assert (drawing.boxes, drawing.lines) == ((), ())
    assert drawing.width < 50


def test_the_longest_lines_of_a_large_graph_run_together():
    """Where many lines pass many columns, the longest go below all boxes: to the right on one way, back on another."""
    n = 300
    near = [Edge(str(i), str(i + step)) for step in range(1, 7) for i in range(n - step)]
    jumps = [Edge(str(i), str(n - 1)) for i in range(0, n - 10, 3)]
    jumps += [Edge(str(i), str(i - 200)) for i in range(202, n, 4)]
    drawing = lay_out([_op(str(i)) for i in range(n)], near + jumps)
    _check_boxes(drawing)
    _check_lines(Drawing(drawing.width, drawing.height, drawing.boxes, drawing.lines[len(near) :]))
    bottom = max(box.y + box.height for box in drawing.boxes)
    lowest = [max(line.points[1::2]) for line in drawing.lines]
    ways = Counter(y for y in lowest if y > bottom)
    (below, right), (further, back) = sorted(ways.most_common(2))
    assert right > 10
    assert back > 10
    assert further == max(lowest)
    assert further - below < 20


@pytest.fixture(scope="module")
def plain():
    """How long it takes to lay out plain layers."""
    scene = shapes.layered(3000)
    return min(_took(scene) for _ in range(2))


def _took(scene):
    start = time.process_time()
    lay_out(*scene)
    return time.process_time() - start


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda shape: shape.__name__)
def test_no_shape_takes_long(shape, plain):
    """Dagster #33377: long chains, groups in circles, boxes in boxes, fans: none takes much longer than plain layers of
    as many nodes."""
    scene = shape(3000)
    assert any(_took(scene) < 8 * plain for _ in range(3))  # about four at most; 20 without bounds
