"""Texts and what they say: sentiment, and every other class that people teach models to tell."""
