"""Files -> samples -> batches. One reader a file."""
