"""pyserial URL handlers for targets in this process.

The package is for ``serial.protocol_handler_packages``; pyserial finds ``protocol_NAME`` in it when
it opens ``NAME://…``.
"""
