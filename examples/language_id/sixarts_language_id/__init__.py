"""A Sixarts plugin that tells which language a text is written in."""
