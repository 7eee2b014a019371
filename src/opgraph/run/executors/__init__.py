"""Executors: who makes the attempts at steps, and where. One protocol, the same semantics in each."""
