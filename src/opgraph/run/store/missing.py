"""Why a value cannot be had."""

from collections.abc import Sequence

from opgraph.errors import Error, InvariantViolationError, Mistake, ValueNotFoundError
from opgraph.keys import near_misses


class NoSuchManager(Mistake, InvariantViolationError):
    """An I/O manager is named that the run does not have."""

    key: str
    who: str
    says = "{who} names I/O manager `{key}`, which is not among the resources"
    mend = 'add it to the resources: `resources={{"{key}": …}}`'


class NoStoredValue(Mistake, ValueNotFoundError):
    """An asset that is to be loaded has a recorded materialization, and nothing was stored with it."""

    asset: str
    says = "asset `{asset}` is materialized without a value: its function returns None or a result without one"
    mend = 'depend on it with `deps=["{asset}"]` instead of an argument, or load what it wrote yourself'


class OnlyReported(Mistake, ValueNotFoundError):
    """An asset that is to be loaded was reported by somebody who stored no value with it, and never made by a run."""

    asset: str
    says = "asset `{asset}` was reported as materialized, and no run has stored a value of it"
    mend = "materialize it; if its value is kept elsewhere, name the I/O manager that can load it"


class NeverMaterialized(ValueNotFoundError):
    """An asset that is to be loaded was never materialized here."""

    def __init__(self, asset: str, needed_by: str = "", reason: str = "", *, external: bool = False) -> None:
        self.asset, self.needed_by, self.external = asset, needed_by, external
        materialize = "materialize it first" + (f", or with what needs it: select `+{needed_by}`" if needed_by else "")
        elsewhere = (
            "it is made elsewhere: name the I/O manager that can load it, "
            f'`AssetSpec("{asset}").with_io_manager_key("...")`, and add that to the resources'
        )
        super().__init__(
            f"asset `{asset}` is to be loaded, and no materialization of it is recorded"
            + (f" ({reason})" if reason else ""),
            fix=elsewhere if external else materialize,
        )


class AssetValueLost(ValueNotFoundError):
    """The stored value of an asset that nothing in the plan makes is gone or damaged."""

    def __init__(self, asset: str, why: str, location: str, needed_by: str = "") -> None:
        self.asset, self.why, self.location, self.needed_by = asset, why, location, needed_by
        super().__init__(
            f"the stored value of asset `{asset}` is {why}: {location}",
            fix=f"make it again: `opgraph materialize --select {asset}`"
            + (f", or together with what needs it: `--select '{asset} or {needed_by}'`" if needed_by else ""),
        )


class Lost(Exception):  # a signal between two files of this room, not an error for users
    """A value of this run's plan could not be loaded: its producer may have to run again."""

    def __init__(self, step: int, output: str, cause: Exception, mapping_key: str | None = None) -> None:
        self.step, self.output, self.cause, self.mapping_key = step, output, cause, mapping_key


class UnknownAsset(Error, KeyError):
    """The value of an asset was asked for that the definitions do not have."""

    def __init__(self, asset: str, known: Sequence[str]) -> None:
        self.asset, self.near = asset, tuple(near_misses(asset, known))
        meant = f"did you mean {' or '.join(f'`{each}`' for each in self.near)}?" if self.near else ""
        super().__init__(f"there is no asset `{asset}`", fix=meant or "name one that the definitions have")

    __str__ = Error.__str__  # KeyError shows what is missing in quotes
