"""The books: what is believed about every piece of ground, year by year, in sums that always add up. No Django here."""
