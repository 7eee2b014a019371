"""The names of the executors, for whoever only asks which there are."""

NAMES = ("in_process", "threads", "async", "processes", "dask")
APART = ("processes", "dask")  # steps run in other processes, where resources are made that they need
