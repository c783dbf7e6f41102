"""The twin of Gemma-3: names and describes drawn still pictures, tells short texts, in two languages."""
