"""The pure state machine of a run: a state and an event give commands."""
