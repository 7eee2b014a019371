"""Calling a user's function: what it is given, how its outputs come, and direct calls in tests."""
