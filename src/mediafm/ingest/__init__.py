"""One title after another into the catalog."""
