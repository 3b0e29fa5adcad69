"""What software and integrators see: parameters, formats, registers. Everything else reads it."""
