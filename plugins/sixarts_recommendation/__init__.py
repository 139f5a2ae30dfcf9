"""Recommendation: what comes next, what is like it, what will be chosen."""
