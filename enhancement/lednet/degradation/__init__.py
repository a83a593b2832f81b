"""From a sharp picture or a sharp sequence to what a shaken camera sees of it at night: pairs to train and judge on.

Pictures are (H, W, 3), B, G, R, float32 in [0, 1], shown (sRGB) unless said to be linear.
"""
