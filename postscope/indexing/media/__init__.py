"""Media bytes to normalised content."""
