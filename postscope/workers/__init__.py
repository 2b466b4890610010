"""What runs in the background: Celery tasks, threads, maintenance."""
