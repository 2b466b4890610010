"""Verdicts on copies: pure functions that banks and near-duplicates use alike."""
