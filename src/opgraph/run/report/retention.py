"""What clean-up keeps, and for how long."""

from dataclasses import dataclass

DAY = 24 * 60 * 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what runs leave behind is kept. Times are days.

    Never removed are the latest value of each asset, what the memo remembers, and what a run needs that is going on.

    Attributes:
        intermediates: values between ops, of runs that succeeded, from their end.
        failed: the same of runs that failed, were cancelled or died: as long as they can be resumed from there.
        versions: values of an asset that are not the latest, from when a later one replaced them.
        output: what ops logged and printed.
        runs: runs, with their events.
        memo: how many fingerprints of each memoized step are remembered, with their values.
        memo_bytes: how many bytes these values may have in all; those used least recently go first.
    """

    intermediates: float = 1.0
    failed: float = 7.0
    versions: float = 30.0
    output: float = 30.0
    runs: float = 180.0
    memo: int = 3
    memo_bytes: int = 10 * 1024**3


DEFAULTS = Retention()
