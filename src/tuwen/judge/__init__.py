"""What a model is worth, one kind of figures a file: each judges what one forward pass over the rows has made."""
