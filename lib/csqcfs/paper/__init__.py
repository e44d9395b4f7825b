"""The companion: the paper's numbers, its experiments, their records, and the pages that show them."""
