"""What can be served at an address of its own, without HTTP: one file a kind, one interface (`app.py`)."""
