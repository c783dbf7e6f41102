"""Notebook 03: a request in words becomes a program that is checked by running it."""
