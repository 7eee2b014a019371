"""What the contract tests of executors run on."""

import logging

import dask
import distributed
import pytest


@pytest.fixture(scope="session")
def dask_cluster():
    """A Dask cluster of one worker process with two threads, where the executor `dask` looks for one."""
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
        ) as cluster,
        dask.config.set({"scheduler-address": cluster.scheduler_address}),
    ):
        yield cluster
