"""Trained heads: small models on the stored vectors of posts, and on what else is known of them."""
