"""Answers the questions of the routes."""


class Desk:
    """What the routes ask."""
