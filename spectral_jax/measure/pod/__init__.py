"""What a pod would make of a run: the step that trains, compiled for TPUs without one, and what follows from the program.

In the order in which they may import one another:

  chips: peak, memory and links of accelerators, and slices of them by name
  batches: the abstract batch of a group, as the loader makes it
  hlo: a compiled program's text, read
  collectives: what chips send one another in a step
  traffic: what a step moves between memory and the chip
  program: the step of a config compiled for devices, and what the compiler says of it
  child: the same in a process of its own, whose memory and time are measured
  predict: seconds a step, what binds, cost of the run, weak scaling
  fit: what brings a program that does not fit into memory, and the largest batch that fits
  report: all of it for the groups of a config
  words: the report as text
"""
