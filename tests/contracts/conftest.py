"""What the contract tests of executors run on."""

import logging

import pytest

from opgraph import dask_executor


@pytest.fixture(scope="session")
def dask_cluster():
    """A Dask cluster of one worker process with two threads; what runs on it."""
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as cluster:
        yield dask_executor.configured({"address": cluster.scheduler_address})
