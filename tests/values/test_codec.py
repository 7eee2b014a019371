"""Values as bytes."""

import sys
import types

import pytest

from opgraph.values.codec import checksum, decode, encode
from opgraph.values.problems import UnloadableValueError, UnstorableValueError


def test_round_trip():
    """What was encoded is decoded; equal values have equal checksums, of 32 hexadecimal digits."""
    assert decode(encode({"a": (1, 2)})) == {"a": (1, 2)}
    assert checksum(encode([1])) == checksum(encode([1])) != checksum(encode([2]))
    assert len(checksum(b"")) == 32


def test_a_class_that_is_gone():
    """Bytes whose class is no longer there are an error that names the class and the location, with pickle's cause."""
    module = types.ModuleType("gone_module")
    sys.modules["gone_module"] = module
    exec("class Thing: pass", module.__dict__)  # a class as a user's module would have it
    data = encode(module.Thing())
    del sys.modules["gone_module"]
    with pytest.raises(UnloadableValueError, match="run/file, a Thing, cannot be read: ModuleNotFoundError") as caught:
        decode(data, location="run/file", type_name="Thing")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_what_pickle_cannot_write():
    """Endless nesting, and a value whose own pickling fails, are UnstorableValueErrors with the cause."""

    class Refuses:
        def __reduce__(self):
            raise KeyError("mine")

    deep = []
    for _ in range(100_000):
        deep = [deep]
    for value, cause in [(Refuses(), KeyError), (deep, RecursionError)]:
        with pytest.raises(UnstorableValueError) as caught:
            encode(value, "out", "step")
        assert isinstance(caught.value.__cause__, cause)
