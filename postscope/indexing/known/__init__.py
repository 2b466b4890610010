"""Known content in memory: hashes of bank entries, and what matches them."""
