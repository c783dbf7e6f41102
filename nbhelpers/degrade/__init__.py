"""Lesion studies of language models: chosen weights are damaged, and what is lost is measured."""
