"""All that a project declares, gathered from its modules."""
