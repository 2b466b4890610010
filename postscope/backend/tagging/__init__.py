"""Taxonomies: what they hold, what they say of posts, and how good it is."""
