"""Networks compared on equal terms: same data, same tiles in the same order, same number of steps, several seeds."""
