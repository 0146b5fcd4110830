"""What is flashed: one folder a board, its build and the way onto the device."""
