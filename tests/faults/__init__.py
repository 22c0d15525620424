"""What must not be lost, forged or kept waiting, whatever dies: over the real command."""
