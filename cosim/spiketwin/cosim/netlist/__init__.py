"""The netlist that Yosys maps the gateware to, simulated cell by cell with models of the cells."""
