"""Sixarts' translation plugin: the task, its families, and a starter."""
