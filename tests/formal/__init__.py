"""Proofs with SymbiYosys (``make formal``), each with twins that carry a planted fault and must
fail, so that an assertion that went missing is noticed."""
