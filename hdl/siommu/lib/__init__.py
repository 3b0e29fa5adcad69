"""Small parts that know nothing of translation: queues, arbiters, arithmetic.

::

    event, structs          what one module tells others; helpers for structs
    payload, replica        registers that reset leaves alone; second copies of registers
    queues                  short queues whose handshakes come from registers
    choose, plru            which of several; which is replaced
    arithmetic, parity      arithmetic of gates; parity of wide words
    contract                what a module needs of its neighbours, as an assertion
"""
