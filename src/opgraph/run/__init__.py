"""The shell around the engine: driver, attempts, contexts, executors."""
