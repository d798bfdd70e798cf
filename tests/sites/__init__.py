"""Real applications, driven over the wire."""
