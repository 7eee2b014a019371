"""From names to one validated graph: keys, selection, lineage, flattening, verification."""
