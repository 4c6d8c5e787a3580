"""State, step, partition, checkpoint, loop. No loop of any objective lives anywhere else.

In the order in which they may import one another:

  state: what training carries from step to step, and the schedules
  step: one update, written once for the global view
  norms: how large a state and its last change are, for the log
  partition: one mesh, and one table from parameter path to PartitionSpec
  programs: the step compiled once for every form of batch
  checkpoint_files: where checkpoints are, and whether they are as they were saved
  peers: several processes find one another, or one of them is gone
  pulse: signs of life between them, and the last words of one that is ended
  checkpoint: state, config, data position and versions in one composite
  warm_start: parameters of another run's checkpoint, at step 0
  alarms: batches in which nothing is valid, and a loss that does not move
  record: metrics.jsonl, TensorBoard events, curves.png, the moving line
  loop: batches in, states out, with everything a long run needs around it
"""
