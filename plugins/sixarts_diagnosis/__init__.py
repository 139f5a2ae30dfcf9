"""Diagnosis: decision support from records and pictures."""
