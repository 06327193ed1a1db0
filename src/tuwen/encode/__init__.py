"""One modality -> tokens and a pooled vector. One encoder a file."""
