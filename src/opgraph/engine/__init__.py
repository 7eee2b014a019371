"""The pure state machine of a run: a state and a fact give commands."""

from opgraph.engine import program
from opgraph.engine.commands import Command, Delay, End, LookUp, Reuse, Skip, Start, Stop
from opgraph.engine.course import outstanding
from opgraph.engine.loss import can_be_made_again
from opgraph.engine.phases import Course, Phase
from opgraph.engine.program import BrokenPlanError, Program
from opgraph.engine.state import State, new, status
from opgraph.engine.story import EngineError
from opgraph.engine.table import advance

__all__ = [
    "BrokenPlanError",
    "Command",
    "Course",
    "Delay",
    "End",
    "EngineError",
    "LookUp",
    "Phase",
    "Program",
    "Reuse",
    "Skip",
    "Start",
    "State",
    "Stop",
    "advance",
    "can_be_made_again",
    "new",
    "outstanding",
    "program",
    "status",
]
