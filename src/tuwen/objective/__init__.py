"""What is minimised. One objective a file."""
