"""A real Linux in front of the core: QEMU, two PCI functions of ours, and the loop between them.

``protocol`` is QEMU's, ``function`` is PCI's, ``guest_memory`` and ``qtest`` are the two ways into
the guest. ``siommu_function`` and ``ssd_function`` are what the guest sees; ``live_core`` and
``watch`` put the judge beside the core. ``server`` is the loop, ``machine`` starts and ends it all.
docs/linux.md has the picture.
"""
