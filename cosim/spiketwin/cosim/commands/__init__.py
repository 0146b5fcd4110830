"""Commands that need more than the host, found through the group `spiketwin.commands`."""
