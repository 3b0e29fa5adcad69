"""The exported Verilog as Yosys sees it: processes and memories as cells."""

__all__ = ["PREPARE"]

#: Commands of Yosys in front of what looks at cells. Numbers in the names of cells follow from the
#: text. A table that is no memory of the source stays logic.
PREPARE = "read_verilog siommu.v; hierarchy -top siommu; proc -norom; memory_collect"
