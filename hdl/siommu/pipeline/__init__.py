"""The vocabulary between the stages: what an operation, a key, a grant is."""
