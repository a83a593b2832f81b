"""LEDNet: brightens night frames and takes the shake out of them, in one network of axial transformers."""
