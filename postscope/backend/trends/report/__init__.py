"""The trend report: what emerged, grew and faded in a window, as one page that needs nothing else."""
