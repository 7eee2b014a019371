"""Where the values of a run go and where they come from, and which stored values stand for a step."""
