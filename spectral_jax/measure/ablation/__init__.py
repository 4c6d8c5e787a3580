"""Configs trained at equal CPU time with several seeds, and judged by the criterion of `worth`.

What is chosen here is chosen by places of another simulator seed than those of the verdict. Read `run`.

In the order in which they may import one another:

  rows: the file of an ablation: a config, its variations, a budget
  budget: steps that fit a budget of CPU seconds, and what was spent
  work: a child process: how fast a config steps, and its training
  training: rows and seeds trained one after another, each in a process of its own
  compare: rows beside each other, with intervals and differences to the first
  run: an ablation from its file to ablation.json and ablation.md
"""
