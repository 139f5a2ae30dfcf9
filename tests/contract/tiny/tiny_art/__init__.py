"""A plugin as small as one can be: the mood of a text, by a network of a few dozen weights."""
