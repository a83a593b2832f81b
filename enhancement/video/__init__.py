"""Videos: read, dehaze with a steady atmosphere, write; in segments that any number of workers may take."""
