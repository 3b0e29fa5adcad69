"""Where answers go out.

In the order of the data::

    resolve                 from an outcome to a response beat
    first_exit              ANSWER: what the first level answers, and what it does not
    credits                 how many operations may be in the core without a place for their beats
    egress                  a port's queues of beats, and their order

The second exit, where walks and the second level answer, is in ``miss/``.
"""
