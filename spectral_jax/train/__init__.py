"""State, step, partition, checkpoint, loop. No loop of any objective lives anywhere else.

In the order in which they may import one another:

  state: what training carries from step to step, and the schedules
  step: one update, written once for the global view
  partition: one mesh, and one table from parameter path to PartitionSpec
  checkpoint: state, config, data position and versions in one composite
  record: metrics.jsonl, TensorBoard events, curves.png, the moving line
  loop: batches in, states out, with everything a long run needs around it
"""
