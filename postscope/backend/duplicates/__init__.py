"""Posts that are copies of each other: found, told for sure, kept in groups, shown."""
