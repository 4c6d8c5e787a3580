"""Which samples train, validate and test, and how they come in batches.

In the order in which they may import one another:

  source: which sensor a task's images are of, by wavelength
  blocks: splits whose sides share no scene, or no ground
  label_fraction: a share of the training samples, of every kind alike
  leakage: what a test tile shares with training
  part: samples as an encoder's adaptation takes them
  splits: the task of a comparison and its parts for each seed
  batches: batch i as a pure function of (seed, i)
"""
