"""Land damage by mining: imagery in, reviewed polygons and yearly accounts out."""
