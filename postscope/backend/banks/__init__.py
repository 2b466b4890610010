"""Banks of known content: what is in them, what matches them, and what follows."""
