"""The translating bridge (§9): a device that speaks plain AXI4 on one side, memory on the other.

::

    channels                what a burst's header is made of
    legal                   which bursts AXI4 allows, so that one page is all they touch
    admission               a burst comes in: it gets a slot, and is asked for
    slots                   bursts wait for their translations, in their order
    request_share           both directions ask through one port
    release, in_memory      a decided burst leaves: to memory, or to be refused
    write_gate              write data follow their burst, and only it
    refuse                  the answers to refused bursts
    merge                   answers of memory and of the bridge become one channel
    fault_pulses            the output ``fault``
    read_path, write_path   all that, by direction
    bridge, top             both directions; flat ports
"""
