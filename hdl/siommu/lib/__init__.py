"""Small parts that know nothing of translation: queues, arbiters, arithmetic."""
