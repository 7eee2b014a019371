"""The event log and its views, in memory or in SQLite.

Example:
    >>> from opgraph.record.memory import MemoryRecord
    >>> MemoryRecord().runs()
    []
"""
