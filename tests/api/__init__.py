"""The tests of the endpoints, a file each."""
