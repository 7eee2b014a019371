"""Value stores behind I/O managers."""
