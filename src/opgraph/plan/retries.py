"""How often each step of a plan may be tried again."""

from collections.abc import Mapping

from msgspec import structs

from opgraph.declare.retry import RetryPolicy
from opgraph.plan.model import Plan, Retry
from opgraph.resolve.assets import Unit
from opgraph.resolve.flatten import FlatStep


def with_retries(
    plan: Plan, nodes: Mapping[str, FlatStep], units: Mapping[str, Unit], of_job: RetryPolicy | None
) -> Plan:
    """The plan with the retry policy of each step: that of its use in a graph, else the op's own, else that of the
    nearest graph around it that has one, else the asset definition's, else the job's."""
    known: dict[RetryPolicy, Retry] = {}
    steps = list(plan.steps)
    for number, step in enumerate(plan.steps):
        policy = _policy_of(nodes[step.node], units.get(step.unit)) or of_job
        if policy is not None:
            if policy not in known:
                known[policy] = _as_data(policy)
            steps[number] = structs.replace(step, retry=known[policy])
    return structs.replace(plan, steps=tuple(steps)) if known else plan


def _policy_of(flat: FlatStep, unit: Unit | None) -> RetryPolicy | None:
    if flat.node is not None and flat.node.retry_policy is not None:
        return flat.node.retry_policy
    if flat.op.retry_policy is not None:
        return flat.op.retry_policy
    for node in reversed(flat.parents):
        if node.retry_policy is not None:
            return node.retry_policy
    return unit.definition.retry_policy if unit is not None else None


def _as_data(policy: RetryPolicy) -> Retry:
    return Retry(
        policy.max_retries,
        policy.delay or 0.0,
        policy.backoff.value if policy.backoff is not None else "",
        policy.jitter.value if policy.jitter is not None else "",
    )
