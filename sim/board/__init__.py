"""The host's side of the board image: the protocol, the link, the board, and the command.

::

    protocol                operations and frames, declared once for both sides
    link                    frames over a serial port, with retries
    board                   registers, requests and answers of a board
    memory                  its block RAM, as the builders of tables want a memory
    tables                  tables from a description in JSON
    worlds                  random worlds on the board, against the golden model
    cli                     the command `siommu-host`
"""
