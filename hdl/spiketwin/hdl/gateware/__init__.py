"""The gateware: one component a file, built from `spiketwin.hdl.spec` with Amaranth."""
