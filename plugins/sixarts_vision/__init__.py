"""Sixarts' vision plugin: tasks that say what a picture or a clip shows, their families, and starters."""
