"""Why a plan is refused."""

from collections.abc import Sequence

from opgraph.errors import ExecutionStepNotFoundError, InvalidSubsetError, Mistake
from opgraph.plan.model import Besides


class UnselectedAssetsRefused(InvalidSubsetError):
    """The policy `error` holds, and the run would certainly make assets that nobody selected."""

    def __init__(self, besides: Sequence[Besides]) -> None:
        self.besides = tuple(besides)
        each = "; ".join(f"`{b.asset}` (output `{b.output}` of op `{b.step}`)" for b in besides)
        super().__init__(
            f"the selection would also materialize {each}, and the policy for unselected assets is `error`",
            fix=besides[0].remedy,
        )


class UnknownStep(ExecutionStepNotFoundError):
    """A step was asked for that the plan does not have."""

    def __init__(self, names: Sequence[str], known: Sequence[str], near: Sequence[str]) -> None:
        self.names, self.near = tuple(names), tuple(near)
        meant = f". Did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
        super().__init__(
            f"no step is named {', '.join(f'`{n}`' for n in names)}{meant}",
            step_keys=names,
            fix=f"the steps are {', '.join(known[:8])}"
            + (" …; `opgraph plan` lists them all" if len(known) > 8 else ""),
        )


class WouldRun(InvalidSubsetError):
    """Only stored values were to be used, and some steps would run; perhaps others after them would, too."""

    def __init__(self, steps: Sequence[tuple[str, str]], perhaps: Sequence[str] = ()) -> None:
        self.steps, self.perhaps = tuple(steps), tuple(perhaps)
        lines = [f"{key}: {why}" for key, why in self.steps[:8]]
        lines += [f"and {len(self.steps) - 8} more"] if len(self.steps) > 8 else []
        if perhaps:
            more = f" and {len(perhaps) - 8} more" if len(perhaps) > 8 else ""
            lines.append(f"what comes after them may run, if they make other values: {', '.join(perhaps[:8])}{more}")
        super().__init__(
            "\n  ".join(["only stored values were to be used, and these steps would run:", *lines]),
            fix="leave out `--reuse-only`, or make them memoized (`memoize=True`) and run them once",
        )


class NothingToRun(Mistake, InvalidSubsetError):
    """Everything that was asked for is done already, or nothing was asked for."""

    run_id: str
    status: str
    says = "run `{run_id}` ended with {status}: there is nothing left to run"
    mend = "name an op to run again from: `opgraph resume RUN --from STEP`, or materialize anew"
