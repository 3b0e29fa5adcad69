"""The AXI channels, and who of the core's parts uses them when.

::

    axi                     the signatures of the channels
    share                   walker, command queue and fault queue share them
"""
