"""Topics: found by discoveries, kept up to date as posts come in, put right by people."""
