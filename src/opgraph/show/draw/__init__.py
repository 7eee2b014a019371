"""One layered drawing of assets, graphs, plans and runs: for notebooks, SVG files and the web."""
