"""Reading, writing and publishing SavedModels and checkpoints."""
