"""Training tools every network shares: checkpoints with cards, and one trainer. No Django."""
