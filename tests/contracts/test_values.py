"""What every value store holds to."""

import msgspec
import pytest

from opgraph.errors import ValueNotFoundError
from opgraph.events import Meta, Place
from opgraph.values.files import FileStore
from opgraph.values.problems import UnstorableValueError, ValueLostError
from opgraph.values.store import Origin, OwnValues

ORIGIN = Origin("run", "graph.op", 1)
VALUES = [None, 7, "text", b"bytes", [1, {"a": (2.5,)}], {"x": None}, "ü" * 300, b"x" * 100_000]


@pytest.fixture(params=["inline", "files", "inline or files"])
def store(request, tmp_path):
    limit = {"inline": None, "files": 0, "inline or files": 1000}[request.param]
    return OwnValues(FileStore(tmp_path / "values"), limit)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_round_trip(store, value):
    """A value comes back as it was put, and is there until it is removed."""
    stored, inline = store.put(value, "out", ORIGIN)
    assert store.has(stored, inline)
    assert store.get(stored, inline) == value
    assert (inline is not None) == (stored.place is Place.INLINE)


def test_the_fact_says_everything(store):
    """What is to be recorded holds all that was said of the value, and the class of it."""
    said = {"mapping_key": "k", "asset": "a/b", "asked": False, "io_manager": "mine", "metadata": {"n": Meta("int", 1)}}
    stored, _ = store.put(7, "out", ORIGIN, data_version="v1", **said)
    assert {name: getattr(stored, name) for name in said} == said
    assert (stored.output, stored.data_version, stored.type_name) == ("out", "v1", "int")


def test_never_overwrites(store):
    """Two values of one output of one attempt are both there, and so is the first after the second is removed."""
    first, first_inline = store.put("first", "out", ORIGIN)
    second, second_inline = store.put("second", "out", ORIGIN)
    assert store.get(first, first_inline) == "first"
    assert store.get(second, second_inline) == "second"
    store.remove(second)
    assert store.get(first, first_inline) == "first"


def test_survives_the_record(store):
    """The fact still leads to the value after it was written to the record and read again."""
    stored, inline = store.put({"a": 1}, "out", ORIGIN)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=type(stored))
    assert store.get(again, inline) == {"a": 1}


def test_values_beside_one_fact_are_told_apart(store):
    """Several outputs share one blob; each is cut out of it by offset and size."""
    blob, kept = b"", []
    for value in ("one", 2, [3]):
        stored, inline = store.put(value, "out", ORIGIN, offset=len(blob))
        blob += inline or b""
        kept.append((stored, value))
    assert [store.get(stored, blob) for stored, _ in kept] == [value for _, value in kept]


def test_a_removed_value_is_lost(store):
    """What was removed, or whose blob is gone, is a ValueLostError, which is a ValueNotFoundError; twice is fine."""
    stored, _ = store.put("x", "out", ORIGIN)
    store.remove(stored)
    store.remove(stored)
    assert not store.has(stored, None)
    with pytest.raises(ValueLostError) as caught:
        store.get(stored, None)
    assert caught.value.why == "missing"
    assert isinstance(caught.value, ValueNotFoundError)


@pytest.mark.parametrize("value", [lambda: 1, (i for i in ()), open], ids=["lambda", "generator", "nested"])
def test_unstorable(store, value, tmp_path):
    """A value that pickle refuses is an error that names its class, output and step, and leaves nothing behind."""
    if value is open:
        value = {"deep": [object, lambda: 2]}
    with pytest.raises(UnstorableValueError, match=r"output 'out' of 'graph.op' is a \w+ that cannot") as caught:
        store.put(value, "out", ORIGIN)
    assert caught.value.__cause__ is not None
    assert list(tmp_path.iterdir()) == []


def test_equal_values_have_equal_data_versions(store):
    """The data version follows from the bytes, where there are bytes, unless one is given."""
    versions = {store.put([1, 2], "out", Origin("run", "s", n))[0].data_version for n in range(3)}
    assert len(versions) == 1
    assert versions != {""}
