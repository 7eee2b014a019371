"""A run as a whole: what starts when, what is recorded, how it is stopped."""
