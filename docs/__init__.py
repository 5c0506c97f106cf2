"""The pages of the documentation, some of them written from the code: see docs/write.py."""
