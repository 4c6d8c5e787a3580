"""What an encoder is trained for. Objectives call the model's pure functions and return sums and counts.

In the order in which they may import one another:

  parts: a batch in parts, and what looks across locations after all of them
  strata: which sensors the local views of a step may show
  views: global and local views of a batch: sensors shown, crops, augmentation
  pictures: what the views of a step show
  slots: a sensor in a view each: which tokens go on, and what is known of each slot
  encode_views: all views of a batch to embeddings, every sensor through the same programs
  collapse: alarms: spread and effective rank of embeddings
  sigreg: embeddings towards an isotropic Gaussian
  jepa: every view's embedding agrees with the teacher's global centre
  levels: levels of the encoder trained by themselves
  spectm: hidden bands, bio-optical indices, and a later date
  supervised: losses of labelled tasks
  joint: the weighted sum of a run's objectives
"""
