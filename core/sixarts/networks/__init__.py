"""Networks and parts of them that families of several plugins share, and their weights' published names."""
