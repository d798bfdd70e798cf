"""The small API, through its test client and as a WSGI application."""
