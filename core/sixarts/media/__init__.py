"""Safe decoding of images, audio and video into arrays: formats are allowed one by one, sizes checked first."""
