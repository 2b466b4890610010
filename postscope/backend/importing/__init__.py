"""Import of files: JSONL, CSV and Parquet of any size, resumed where it stopped. Start at ``running.run_import``."""
