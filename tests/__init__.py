"""The tests of the package; each file mirrors one of its modules."""
