"""Others use the core: in a flow of FuseSoC."""
