"""Objectives: what an encoder is trained for. They call the model's pure functions and return sums and counts."""
