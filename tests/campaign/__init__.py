"""Campaigns: thousands of independent jobs of minutes, on the cores of one machine or on a cluster.

    jobs ──> engine ──> work, on some node ──> archive, page
      ^                                          │
      └────────── what has a result is not done again

Parsl is the engine: pilot jobs take whole nodes of a cluster and hand out the small jobs there, so
that its scheduler sees few of them; Slurm, LSF and others are one setting.
"""
