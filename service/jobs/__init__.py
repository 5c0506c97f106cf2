"""Working jobs off: in this process, or by Celery workers anywhere."""
