"""The names that Dagster's older projects have for plain Python types: `config_schema={"bucket": String}`."""

from typing import TypeAlias

String: TypeAlias = str
Int: TypeAlias = int
Float: TypeAlias = float
Bool: TypeAlias = bool
