"""From a configuration to a file: Verilog, its names, and the command line.

In the order of the data::

    ports                   the ports of a module, from its declaration
    template                wrappers in Verilog and VHDL, to copy instances from
    export                  from a configuration to Verilog text
    names                   plain names, those of the source
    files                   files that are whole or absent
    cli                     ``python -m siommu generate``
"""
