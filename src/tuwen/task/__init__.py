"""What a user asks for. One task a file; each is a verb of the command line."""
