"""Assertions on a plan: what a run would do, without running it."""

from collections.abc import Iterable, Sequence
from typing import Self

from opgraph.keys import AssetKey, CoercibleToAssetKey
from opgraph.operate import planning
from opgraph.operate.target import Selection
from opgraph.plan.model import Do, Plan, Policy
from opgraph.run.instance import Instance
from opgraph.show.cli.ink import paint
from opgraph.show.cli.plan import drawn
from opgraph.testing.given import pretend
from opgraph.testing.projects import Given, Tested, definitions_of, still_needed


class WrongPlan(AssertionError):
    """A plan does something else than the test says."""

    def __init__(self, what: str, wanted: Iterable[str], there: Iterable[str], plan: Plan) -> None:
        self.what, self.plan = what, plan
        self.missing = tuple(sorted(set(wanted) - set(there)))
        self.extra = tuple(sorted(set(there) - set(wanted)))
        lines = [f"the plan {what} something else:"]
        lines += [f"  not in the plan: {', '.join(self.missing)}"] if self.missing else []
        lines += [f"  not expected:    {', '.join(self.extra)}"] if self.extra else []
        shown = [paint(line, colour=False) for line in drawn(plan, everything=True)]
        super().__init__("\n".join([*lines, "", *shown]))


class PlanAssertion:
    """A plan and what a test says of it. Each method names *all* that there is of its kind, and returns this object.

    Attributes:
        plan: the plan itself.
    """

    __slots__ = ("plan",)

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def runs(self, *steps: str) -> Self:
        """These ops run, by path (`revenue.clean`), and no others.

        Raises:
            WrongPlan: it is otherwise.
        """
        return self._same("runs", steps, self._steps(Do.RUN))

    def reuses(self, *steps: str) -> Self:
        """The stored outputs of these ops are reused, and of no others.

        Raises:
            WrongPlan: it is otherwise.
        """
        return self._same("reuses", steps, self._steps(Do.REUSE))

    def materializes(self, *assets: CoercibleToAssetKey) -> Self:
        """These assets were asked for and will be made by an op that runs, and no others.

        Raises:
            WrongPlan: it is otherwise.
        """
        asked = set(self.plan.selection)
        there = [
            output.asset
            for step in self.plan.steps
            if step.decision.do is Do.RUN
            for output in step.outputs
            if output.asset is not None and output.asset in asked
        ]
        return self._same("materializes", _texts(assets), there)

    def besides(self, *assets: CoercibleToAssetKey) -> Self:
        """These assets come, or may come, though nobody asked for them, and no others.

        Raises:
            WrongPlan: it is otherwise.
        """
        return self._same("makes besides", _texts(assets), [each.asset for each in self.plan.besides])

    def loads_unrecorded(self, *assets: CoercibleToAssetKey) -> Self:
        """These assets are to be loaded though no materialization of them is recorded, and no others.

        Raises:
            WrongPlan: it is otherwise.
        """
        return self._same("loads, though unrecorded,", _texts(assets), self.plan.missing)

    def _steps(self, do: Do) -> list[str]:
        return [step.key for step in self.plan.steps if step.decision.do is do]

    def _same(self, what: str, wanted: Iterable[str], there: Iterable[str]) -> Self:
        wanted, there = set(wanted), set(there)
        if wanted != there:
            raise WrongPlan(what, wanted, there, self.plan)
        return self

    def __repr__(self) -> str:
        return "\n".join(paint(line, colour=False) for line in drawn(self.plan, everything=True))


def assert_plan(
    tested: Tested,
    selection: Selection = None,
    *,
    given: Given | None = None,
    instance: Instance | None = None,
    job: str | None = None,
    unselected: str | Policy | None = None,
    resume: str | None = None,
    from_step: str | None = None,
    only: Sequence[str] = (),
) -> PlanAssertion:
    """The plan of a run, to be asserted on. Nothing runs.

    Args:
        tested: definitions, one asset, or several.
        selection: which assets; by default all, or what is made of the given values.
        given: values that assets are said to have, by key; recorded in the instance.
        instance: tells what is recorded; by default an empty one in memory.
        job: the job to plan, instead of a selection.
        unselected: what to do with assets that come unasked.
        resume: the id of a run: plan what resuming it would do.
        from_step: when resuming, run this step and what comes after it.
        only: when resuming, run just these steps.

    Raises:
        InvalidDefinitionError: the definitions cannot work, or the selection cannot be run (InvalidSubsetError).

    Example:
        >>> assert_plan(defs, "low").runs("sorted_out.split", "sorted_out.low").materializes("low").besides()
    """
    values = {AssetKey.from_coercible(key): value for key, value in (given or {}).items()}
    definitions = definitions_of(tested, None, values)
    owner = instance or Instance.ephemeral()
    if values:
        pretend(owner, values)
        if selection is None and job is None:
            selection = still_needed(definitions, values)
    if resume is not None:
        return PlanAssertion(planning.plan_resume(definitions, resume, instance=owner, from_step=from_step, only=only))
    return PlanAssertion(planning.plan(definitions, selection, instance=owner, job=job, policy=unselected))


def _texts(keys: Iterable[CoercibleToAssetKey]) -> list[str]:
    return [AssetKey.from_coercible(key).text for key in keys]
