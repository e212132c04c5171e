"""Command-line experiments: absl flags to one frozen configuration to one call."""
