"""Policies of our own, one file each."""
