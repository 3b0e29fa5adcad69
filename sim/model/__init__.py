"""What the core must answer: the golden model, and the rules for responses."""
