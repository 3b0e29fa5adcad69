"""What software and integrators see: parameters, formats, registers. Everything else reads it.

::

    config                  the parameters of a core, validated where they are made
    formats                 every format of the architecture, declared once
    packing                 its words as integers, for software, models and tests
    siommu.rdl              every register, declared once
    register_map            how the others read it
"""
