"""Whether an encoder is worth keeping: it must beat what anyone can do without it, at places that no run has seen.

The criterion is fixed before training: the same ridge, the same labels and the same draws for an encoder's levels and for every
rival, linear codes that know two dates of a place among them. Everything is simulated, and says so. Read `report`.

In the order in which they may import one another:

  question: what is asked: sensor, places, labels, draws
  unseen: places of a simulator seed that no run has seen, with their truth of place and day
  images: bands of every place: mean, deviation, the same of their logarithms, and pixels
  agreement: whitening, and directions that agree between two dates of a place
  rivals: features that need no encoder
  scores: R2 with some labels and with all, draw by draw
  interval: means over draws and training seeds with their 95 % interval, and what they show
  candidates: runs of one recipe, the features of their levels, and their untrained twins
  judge: candidates against rivals, from run folders to a verdict
  words: a verdict as a table, and as Markdown
  other_sensors: whether a spectrum seen by a sensor that was never shown finds its own embedding
  report: from run folders to a printed verdict, worth.json and worth.md
"""
