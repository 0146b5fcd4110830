"""The line: bits on a wire to bytes, and bytes to frames."""
