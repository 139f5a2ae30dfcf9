"""Readers of what strangers wrote, which no file can hurt: weights, archives, pickles, JSON, settings.

Each gives a value or an error of ours, and takes memory and time by the file's size, never by what the file
says of itself.
"""
