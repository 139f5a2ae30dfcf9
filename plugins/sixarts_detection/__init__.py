"""Sixarts' detection plugin: what is where in a picture."""
