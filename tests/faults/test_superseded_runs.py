"""A process that was taken for dead and goes on (R6)."""

import pytest

from opgraph import Definitions, Output, graph_asset, op
from opgraph.events import RunStatus, StepFailed, StepSucceeded
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.record.refusals import SupersededError
from opgraph.run.instance import Instance

WIDE = 40_000
world: dict[str, object] = {}


def turn(step):
    """At its step of the first process, the run is taken over and ended by another; says which process this is."""
    if world["step"] == step and world["process"] == 1:
        world["process"] = 2
        instance = world["instance"]
        row = instance.record.runs()[0]
        instance.record.leases.drop(len(instance.record.runs()))  # as if the kernel had dropped the lease
        outcome = resume(DEFS, row.run_id, instance=world["other"])
        assert (outcome.status, outcome.resumed) == (RunStatus.SUCCESS, "same")
        world["facts"] = instance.record.facts(row.run_id)
        world["process"] = 1


@op
def first():
    turn(0)
    return world["process"]


@op
def second(first):
    turn(1)
    return bytes([world["process"]]) * WIDE


@op
def third(context, second):
    context.log.info("process %s", world["process"])
    turn(2)
    return second


@op
def fourth(third):
    yield Output(world["process"])
    turn(3)


@op
def fifth(fourth):
    turn(4)
    return [world["number"], world["process"]]


@graph_asset
def report():
    return fifth(fourth(third(second(first()))))


DEFS = Definitions(assets=[report])


@pytest.mark.figure("R6")
@pytest.mark.parametrize("step", range(5))
def test_a_superseded_process_writes_nothing(tmp_path, counted, step):
    """Whatever a superseded process writes is refused: no event of it is accepted and the current value is the newer
    one's, 40 times for each of five steps."""
    with Instance(tmp_path, durability="process") as instance, Instance(tmp_path, durability="process") as other:
        for number in range(40):
            world.update(step=step, process=1, number=number, instance=instance, other=other)
            with pytest.raises(SupersededError) as caught:
                materialize(DEFS, instance=instance)
            row = instance.record.runs()[0]
            assert (caught.value.run_id, caught.value.epoch, caught.value.current) == (row.run_id, 1, 2)
            assert (row.status, row.epoch) == (RunStatus.SUCCESS, 2)
            assert instance.record.facts(row.run_id) == world["facts"], "0 accepted"
            assert not any(isinstance(fact, StepFailed) for _, fact in world["facts"])
            assert load_asset_value(DEFS, "report", instance=instance) == [number, 2]
            assert instance.record.latest(["report"])["report"].run_id == row.run_id
    counted(40)


@op
def streams():
    yield Output(1)
    world["seen"].append("went on")


@graph_asset
def streamed():
    return streams()


def test_a_superseded_step_is_not_blamed(tmp_path):
    """A process that is refused while an op is still yielding ends with that refusal: the op has not failed."""
    defs = Definitions(assets=[streamed])
    world["seen"] = []
    with Instance(tmp_path) as instance, Instance(tmp_path) as other:

        def take_over(_seq, fact):
            if type(fact).__name__ == "StepStarted" and fact.attempt == 1:
                instance.record.leases.drop(1)
                world["writer"] = other.record.claim(instance.record.runs()[0].run_id, pid=1, host="", now=1.0)

        with pytest.raises(SupersededError):
            materialize(defs, instance=instance, listeners=[take_over])
        run_id = instance.record.runs()[0].run_id
        assert world["seen"] == [], "what it would have stored next is of no use"
        world["writer"].release()
        assert resume(defs, run_id, instance=instance).success
        facts = [fact for _, fact in instance.record.facts(run_id)]
        assert not any(isinstance(fact, StepFailed) for fact in facts)
        assert [fact.attempt for fact in facts if isinstance(fact, StepSucceeded)] == [2]
