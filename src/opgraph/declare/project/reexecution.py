"""Which earlier run to go on from, and with what."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ReexecutionOptions:
    """What to re-execute of an earlier run.

    Args:
        parent_run_id: the run.
        step_selection: the steps to run, as in `op_selection`; empty: all.

    Example:
        >>> ReexecutionOptions("1f0c", ["transform+"]).step_selection
        ['transform+']
    """

    parent_run_id: str
    step_selection: Sequence[str] = ()
    only_failed: bool = False  # run only what did not succeed

    @staticmethod
    def from_failure(run_id: str, instance: object = None) -> "ReexecutionOptions":
        """Run what did not succeed in that run, reuse the rest. Where it all succeeded, executing it is refused.

        Args:
            run_id: the run.
            instance: ignored, for code written for Dagster: the run is looked for where the new one is recorded.
        """
        del instance
        return ReexecutionOptions(run_id, only_failed=True)
