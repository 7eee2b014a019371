"""Text that must not be kept: what environment variables and secret fields of configuration hold.

Whoever resolves such a value says so here, and whoever keeps text - logs, errors, metadata - hides it first.
"""

from typing import Any, cast

MASK = "**********"
_SHORTEST = 4  # characters; hiding shorter ones would make other text unreadable and protect nothing

_known: set[str] = set()


def remember(value: object) -> None:
    """From here on this process keeps the text of a value out of what it records."""
    text = str(value)
    if len(text) >= _SHORTEST:
        _known.add(text)


def known() -> list[str]:
    """The texts, for a worker process that is to hide them too."""
    return list(_known)


def is_any_known() -> bool:
    """Whether there is anything to hide."""
    return bool(_known)


def hide(text: str) -> str:
    """The text with every secret in it masked."""
    if _known:
        for secret in sorted(_known, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, MASK)
    return text


def hidden(value: Any) -> Any:
    """JSON-like data with every secret in its texts masked."""
    if not _known:
        return value
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hidden(key): hidden(inner) for key, inner in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [hidden(inner) for inner in cast("list[Any]", value)]
    return value


def is_secret(value: object) -> bool:
    """Whether a value is one that pydantic masks: a SecretStr or its like. Asked without importing pydantic."""
    return hasattr(type(value), "get_secret_value")


def revealed(value: Any) -> str:
    """The text of a secret value, which from here on is kept out of what is recorded."""
    inner = value.get_secret_value()
    text = inner.decode(errors="replace") if isinstance(inner, bytes) else str(inner)
    remember(text)
    return text
