"""One attempt at one step: its inputs, the user's function, its outputs."""
