"""Readers of the files that checkpoints come in: each gives {name: array} under Hugging Face's names."""
