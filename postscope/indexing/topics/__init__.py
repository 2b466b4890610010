"""What topics are about and whether they are the same as before: words, examples, identity."""
