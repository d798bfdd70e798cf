"""A module that a deploy changes."""

EDITION = "first edition"
