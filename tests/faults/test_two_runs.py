"""Two runs, in two processes, that make the same asset at once (R10)."""

import multiprocessing
import os

import pytest

from opgraph import Definitions, graph_asset, op
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize
from opgraph.run.instance import Instance

ROUNDS = 200 if os.environ.get("OPGRAPH_SOAK") else 25
WIDE = 50_000
WHO = {"process": 0, "round": 0}


@op
def sign():
    return WHO["process"], WHO["round"]


@op
def widen(signed):
    return [signed] * WIDE


@graph_asset
def contested():
    return widen(sign())


DEFS = Definitions(assets=[contested])


def make(home, process, barrier, ended):
    with Instance(home) as instance:
        for number in range(ROUNDS):
            WHO.update(process=process, round=number)
            barrier.wait(30)
            outcome = materialize(DEFS, instance=instance)
            ended.put((outcome.run_id, process, number, outcome.success))
            barrier.wait(30)


@pytest.mark.figure("R10")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.timeout(600 if ROUNDS > 100 else 110)
def test_of_two_runs_of_one_asset_the_catalog_says_whose_value_it_is(tmp_path, counted):
    """Both succeed; the current value is whole and is that of the run that the catalog names; so is each run's own."""
    forked = multiprocessing.get_context("fork")
    barrier, ended = forked.Barrier(3), forked.SimpleQueue()
    home = tmp_path / "home"
    Instance(home).close()
    children = [forked.Process(target=make, args=(home, process, barrier, ended)) for process in (1, 2)]
    for child in children:
        child.start()
    try:
        with Instance(home) as instance:
            for number in range(ROUNDS):
                barrier.wait(30)
                barrier.wait(30)
                runs = {}
                for _ in children:
                    run_id, process, of, success = ended.get()
                    assert success
                    assert of == number
                    runs[run_id] = [(process, number)] * WIDE
                latest = instance.record.latest(["contested"])["contested"]
                assert latest.run_id in runs
                assert load_asset_value(DEFS, "contested", instance=instance) == runs[latest.run_id]
                for run_id, value in runs.items():
                    assert load_asset_value(DEFS, "contested", instance=instance, run_id=run_id) == value
            assert len(instance.record.history("contested")) == 2 * ROUNDS
    finally:
        for child in children:
            child.join(10)
            child.kill()
    counted(ROUNDS)
