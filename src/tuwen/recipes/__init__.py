"""Functions that return a Recipe. One file a family, named after what it reproduces."""
