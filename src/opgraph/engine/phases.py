"""Where a step stands, and where the run stands."""

import enum


class Phase(enum.IntEnum):
    """Where a step stands. From SUCCEEDED on, it has ended."""

    WAITING = 0  # a step that it needs has not ended
    STARTING = 1  # told to start, not yet begun
    RUNNING = 2
    STOPPING = 3  # told to stop, not yet ended
    DELAYED = 4  # between two attempts
    LOOKING = 5  # asked whether stored values stand for it
    REUSING = 6  # told which stored values stand for it
    SKIPPING = 7  # told that it will not run
    SUCCEEDED = 8
    REUSED = 9
    SKIPPED = 10  # what it needs was not yielded, or the plan says so
    BLOCKED = 11  # what it needs failed
    FAILED = 12
    CANCELED = 13  # the run was cancelled before the step had an end of its own
    WITHDRAWN = 14  # the value over which it was mapped was not yielded again, or another one was

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to the step, unless a value of it is lost."""
        return self >= Phase.SUCCEEDED


class Course(enum.IntEnum):
    """Where the run stands."""

    NEW = 0  # no process took it yet
    GOING = 1
    CANCELING = 2  # nothing starts any more
    ENDING = 3  # every step has ended; told to end
    OVER = 4
