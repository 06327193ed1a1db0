"""Pages to look at: one HTML file each, without scripts, network or files beside it."""
