"""How good and how fast we are; called by tools and tests only.

In the order in which they may import one another:

  machine: cores, memory and versions of a process
  fuzz: what damaged files do to a reader
  flops: model FLOPs of a training sample, counted from the config
  throughput: the loader against TensorStore reading the same patches
  reading: a store as large as the published archive, and one behind a network
  step_time: a training step: compiling, seconds, FLOP/s, its parts
  peer: the training step and the loader against PyTorch, on the same cores
  building: a store built by one worker and by two, and one whose processes are killed
  made_scene: a made scene of any size: random numbers as GeoTIFF
  scene_memory: memory of tiled inference, and how visible the tiles are
  scene_realism: spectral angles of simulated to real EnMAP pixels, by land cover
  water_realism: spectral angles of simulated water to PACE OCI's match-ups
  release: a finished run as a model of the package
  soak: a run killed at random moments, or on a full disk, against one that was left alone
  worth: whether an encoder is worth keeping: places no run has seen, rivals, few labels
  ablation: configs trained at equal CPU time and judged by the same criterion
  pod: what a pod of TPUs would make of a run, compiled without one
"""
