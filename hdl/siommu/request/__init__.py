"""Where requests come in.

In the order of the data::

    ingress                 a port's queue of two
    internal                what the core itself sends: fills, steps of an invalidation, promotions
    arbiter                 ARBITRATE: which operation enters the pipeline
"""
