"""The host side: the link protocol, its transports, networks and the command line."""
