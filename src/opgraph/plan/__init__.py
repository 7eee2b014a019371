"""A graph and a request become an immutable plan: steps, decisions and their reasons."""
