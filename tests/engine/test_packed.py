"""Values of mapped steps are kept packed: they come back as they were, and take little room."""

import hashlib
import tracemalloc

import pytest

from opgraph import Definitions, DynamicOut, DynamicOutput, Instance, graph_asset, op
from opgraph.engine import advance, new
from opgraph.engine.packed import Packed, Shape
from opgraph.engine.program import compile as compiled
from opgraph.events import Kept, Meta, OutputStored, Place, RunStarted, StepStarted, StepSucceeded, Stored
from opgraph.operate.planning import plan

CHECKSUM = hashlib.blake2b(b"x", digest_size=16).hexdigest()
MANY = 4_000


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (Stored("result", Place.INLINE, 5, CHECKSUM, CHECKSUM, offset=3, type_name="int"), True),
        (Stored("result", Place.INLINE, 5, CHECKSUM, "v1"), False),
        (Stored("result", Place.INLINE, 5, CHECKSUM, CHECKSUM, metadata={"rows": Meta("int", 1)}), False),
        (Stored("result", Place.INLINE, 5, CHECKSUM, CHECKSUM, tags={"a": "b"}), False),
        (Stored("result", Place.FILE, 99, CHECKSUM, CHECKSUM, "run/x"), False),
        (Stored("result", Place.MANAGER, 7, "etag", "etag"), False),
        (Stored("result", Place.MANAGER, 7), True),
        (Stored("result", Place.NONE, io_manager="io_manager"), True),
        (Stored("result", Place.INLINE, 0, CHECKSUM, CHECKSUM), True),
        (Kept("run", 3, Stored("result", Place.INLINE, 5, CHECKSUM, CHECKSUM)), False),
    ],
)
def test_a_value_comes_back_as_it_was(value, packed):
    """Whatever is not of the common kind is kept whole; the rest comes back equal, beside values of its own kind."""
    store = Packed(10)
    other = Stored("result", Place.INLINE, 6, CHECKSUM[::-1], CHECKSUM[::-1], offset=9, type_name="int")
    kept = store.pack(12, value)
    store.pack(10, other)
    store.pack(900, other)
    assert isinstance(kept, Shape) == packed
    if isinstance(kept, Shape):
        assert store.unpack(12, kept, None) == value
        assert store.unpack(12, kept, "key").mapping_key == "key"
        assert store.version(12, kept) == value.data_version
    else:
        assert kept is value


def test_a_finished_mapped_step_takes_300_bytes():
    """What the engine knows of a mapped step, of the value for which it was made and of its own output."""

    @op(out=DynamicOut())
    def numbers():
        yield DynamicOutput(1, mapping_key="1")

    @op
    def double(x):
        return 2 * x

    @op
    def total(xs):
        return sum(xs)

    @graph_asset
    def doubled():
        return total(numbers().map(double).collect())

    state = new(compiled(plan(Definitions(assets=[doubled]), instance=Instance.ephemeral())))
    advance(state, RunStarted(0.0, 1))
    advance(state, StepStarted(0, 1, 0.0))
    seq = 0

    def stored(key):
        checksum = hashlib.blake2b(str(seq).encode(), digest_size=16).hexdigest()
        return Stored("result", Place.INLINE, 5, checksum, checksum, mapping_key=key, type_name="int")

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for i in range(MANY):
            seq += 3
            step = 3 + i
            advance(state, OutputStored(0, 1, 0.0, stored(f"k{i}")), seq)
            advance(state, StepStarted(step, 1, 0.0), seq + 1)
            advance(state, StepSucceeded(step, 1, 0.0, outputs=(stored(None),)), seq + 2)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown / MANY <= 300
