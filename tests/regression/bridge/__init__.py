"""The regression of the translating bridge (§9).

::

    bursts                  random bursts, legal and not
    device                  the device: cocotbext-axi on ``s_axi``; it checks every answer
    watch                   what the bridge may do, looked at in every cycle
    bench                   all of that around a simulated bridge, and its memory
    translator, traffic     a mock translator, and tests with it
    system, tables          the core with real tables behind the bridge, and tests with it
    copying                 the example: an ordinary DMA engine behind both
"""
