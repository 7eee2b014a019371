"""Assets computed by graphs of ops."""
