"""Tokens -> a Latent of the shared space. One file a kind of space."""
