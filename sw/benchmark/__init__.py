"""The benchmark: networks by seed, what the array's shape allows, measurement, and the page of the results."""
