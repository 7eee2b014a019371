"""Assets: the keys, labels and upstream assets of what a function or a graph makes; which of them are meant."""
