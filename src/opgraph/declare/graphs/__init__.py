"""Graphs of ops: wired by a body that is called once, or given as data; jobs."""
