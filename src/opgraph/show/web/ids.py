"""Opaque ids of assets: routes take these, never keys or paths."""

import hashlib
from functools import lru_cache


@lru_cache(maxsize=65_536)
def asset_id(key: str) -> str:
    """The id of the asset with this key, its parts joined by `/`."""
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
