"""Values as bytes: pickle, with a checksum."""

import pickle
from hashlib import blake2b
from typing import Any

from opgraph.values.problems import UnloadableValueError, UnstorableValueError

INLINE_LIMIT = 32 * 1024  # bytes; up to here a value is cheaper inside the record than in a file


def encode(value: Any, output: str = "", step_key: str = "") -> bytes:
    """The bytes of a value.

    Raises:
        UnstorableValueError: pickle refuses it.
    """
    try:
        return pickle.dumps(value, 5)
    except MemoryError:
        raise  # nothing is wrong with the value
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnstorableValueError(type(value).__qualname__, output=output, step_key=step_key, reason=reason) from error


def checksum(data: bytes) -> str:
    """What tells these bytes from others: 32 hexadecimal digits."""
    return blake2b(data, digest_size=16).hexdigest()


def decode(data: bytes, *, location: str = "", type_name: str = "") -> Any:
    """The value of bytes that `encode` wrote and that were verified.

    Raises:
        UnloadableValueError: pickle refuses them.
    """
    try:
        return pickle.loads(data)
    except MemoryError:
        raise
    except Exception as error:
        raise UnloadableValueError(type_name, location, f"{type(error).__name__}: {error}") from error
