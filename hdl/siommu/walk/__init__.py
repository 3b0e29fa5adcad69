"""From a miss to the tables in memory, and what is kept of them."""
