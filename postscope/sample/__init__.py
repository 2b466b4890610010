"""The sample of posts that ships with Postscope."""
