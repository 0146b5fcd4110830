"""The commands that need more than the host; the catalogue `commands.toml` names them."""
