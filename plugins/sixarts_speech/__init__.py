"""Speech: what was said, as text with times; and text that is spoken."""
