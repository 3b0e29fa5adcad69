"""The generated files in the repository."""
