"""Records of what was measured, and how they are computed."""
