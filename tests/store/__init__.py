"""The contract of a state store, held over every store."""
