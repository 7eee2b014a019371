"""Ops: functions with named inputs and outputs, and what is said of both."""
