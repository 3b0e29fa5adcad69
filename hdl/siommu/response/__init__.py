"""Where answers go out."""
