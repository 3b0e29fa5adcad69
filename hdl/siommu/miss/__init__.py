"""What the first level did not answer: misses wait, share walks, and are answered."""
