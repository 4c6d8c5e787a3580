"""Training: state, step, partition, checkpoint, loop. No loop of any objective lives anywhere else."""
