"""Dehazing by the dark channel prior (He, Sun, Tang 2009) with soft sky handling: still images and single frames."""
