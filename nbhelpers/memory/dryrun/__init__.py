"""One step of a full-size model from its configuration alone: how much memory it takes, and what takes it."""
