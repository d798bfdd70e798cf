"""A Django project as people deploy it: it knows nothing of the server that runs it."""
