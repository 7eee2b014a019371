"""The names of the executors, for whoever only asks which there are."""

NAMES = ("in_process", "threads", "async", "processes", "dask")
