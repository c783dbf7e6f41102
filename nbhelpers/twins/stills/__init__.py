"""What the twins that look at drawn still pictures share: a small SigLIP tower and how it learns to see."""
