"""The SIOMMU on a board: with block RAM as its memory, behind a UART.

::

    config                  an image's parameters
    uart                    bytes from and to two pins
    receive                 bytes to frames that are whole
    answer                  answers to frames
    ram                     block RAM behind AXI4, with a port for the host
    memory_unit             the host's accesses to it
    register_unit           the host's accesses to the core's registers
    request_unit            the host's requests, and the beats that come back
    engine                  frames to the units' items
    lights                  LEDs that can be seen
    image                   all together, for any platform

    simulated               the image behind a pseudo-terminal, on Verilator
    boards                  the table of boards
    build                   `make fpga`
"""
