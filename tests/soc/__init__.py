"""Others use the core: in a flow of FuseSoC, in a design in Amaranth, in an SoC of LiteX."""
