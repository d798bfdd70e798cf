"""Tests of the access and the error log."""
