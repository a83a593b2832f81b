"""Labels made fast: a window of an image cut into superpixels, one class each; no module here knows Django."""
