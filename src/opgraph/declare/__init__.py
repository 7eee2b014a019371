"""What users write: ops, graphs, assets and definitions. Nothing runs here."""
