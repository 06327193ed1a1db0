"""A Latent -> one modality. One decoder a file."""
