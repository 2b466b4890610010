"""What posts add up to over time: timelines, trends, early warnings and the report."""
