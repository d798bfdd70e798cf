"""Documents, and what writes those of them that repeat what the program declares."""
