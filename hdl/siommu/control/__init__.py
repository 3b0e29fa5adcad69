"""Software's side: registers, commands, invalidation, the fault queue, counters.

In the order of the data::

    register_kinds          how each declared register is provided
    register_write          what registers hold, and what a write starts
    register_read           the reading half
    registers               the AXI4-Lite slave of both
    rings                   indexes of the rings in memory
    command_fetch           one burst of two words
    command_decode          what a command asks for, and whether it may
    command_state, commands the states of the queue; one command after the other
    fence_store             the four bytes of a fence
    invalidate              in steps through the pipeline, beside the traffic
    software                debug translations
    fault_wait              faults that wait for the decision about their records
    fault_quota, fault_ring how many records a port may add; the ring and its indexes
    record_writer           a record on the bus
    fault_queue             the wiring of the four
    port_events, counters   what the counters hear of the ports; the counters
"""
