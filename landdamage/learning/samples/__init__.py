"""Sample sets: labelled ground and images become tiles, split by region so that no set knows another's ground."""
