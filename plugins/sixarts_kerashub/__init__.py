"""The bridge to KerasHub: its presets as families of our tasks."""
