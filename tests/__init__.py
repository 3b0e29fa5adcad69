"""The tests. Every process that runs some of them, pytest's and the simulators', begins here."""

import gc

# A description of hardware is some hundred thousand objects that stay. To look for garbage among
# them after every 700 new ones, as Python does, takes a tenth of the time of all tests.
gc.set_threshold(200_000, 20, 100)
