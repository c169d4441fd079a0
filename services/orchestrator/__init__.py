"""A Celery worker that performs the rounds of evolutions and saves each."""
