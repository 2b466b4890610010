"""Alembic migrations of the tables, versioned migrations of the collections."""
