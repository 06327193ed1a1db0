"""Predictions -> numbers. One metric a file."""
