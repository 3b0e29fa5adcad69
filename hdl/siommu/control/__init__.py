"""Software's side: registers, commands, invalidation, the fault queue, counters."""
