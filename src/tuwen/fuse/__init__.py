"""Latents of the fields that are present -> one Latent. One file a fusion."""
