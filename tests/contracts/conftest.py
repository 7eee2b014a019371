"""What the contract tests of executors run on."""

import logging

import dask
import distributed
import pytest

SLOW_TO_START = ("spawned", "dask")


def pytest_collection_modifyitems(items):
    """Whether the record is on disk or in memory concerns the driver alone: executors that are slow to start run with
    one in memory only where values go from op to op."""
    items[:] = [item for item in items if not _repeats(item)]


def _repeats(item):
    given = item.callspec.params if hasattr(item, "callspec") else {}
    slow = given.get("executor_name") in SLOW_TO_START and given.get("instance") == "memory"
    return slow and item.originalname != "test_values_flow_from_op_to_op"


@pytest.fixture(scope="session")
def dask_cluster():
    """A Dask cluster of one worker process with two threads, where the executor `dask` looks for one."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        # It would silence the handlers that pytest put there, for as long as it lives.
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0", silence_logs=False
        ) as cluster,
        dask.config.set({"scheduler-address": cluster.scheduler_address}),
    ):
        yield cluster
