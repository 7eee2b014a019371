"""Doubles and strategies that ship, for testing pipelines and opgraph itself."""
