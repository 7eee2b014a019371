"""What a run did, as its caller and code written for Dagster read it; the instance that remembers."""
