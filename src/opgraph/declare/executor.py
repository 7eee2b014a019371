"""Which executor a job asks for, as a description; the room `run` has the executors themselves."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct


class ExecutorChoice(Struct, frozen=True):
    """An executor by name, with its settings."""

    name: str
    settings: Mapping[str, Any] = {}


in_process_executor: Final = ExecutorChoice("in_process")
