"""The hardware: its specification (`spiketwin.hdl.spec`) and the gateware built from it."""
