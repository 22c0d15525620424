"""What stands in the documentation is run: each block, each command, each name of a file."""
