"""The verbs of the command line that are not tasks. One file a verb."""
