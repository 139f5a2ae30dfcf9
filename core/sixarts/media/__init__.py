"""Images, audio and video: safe decoding into arrays, and pictures of what was made of them."""
