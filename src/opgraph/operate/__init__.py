"""The verbs that the command line and everything above share: build, resume, cancel, inspect."""
