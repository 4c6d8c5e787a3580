"""Metrics, seeds, tables, ranks.

In the order in which they may import one another:

  metrics: of label maps, label sets and regressions, from sums that add up exactly
  tally: what metrics are computed from, batch by batch
  seeds: mean, spread and interval, and paired comparisons
  tables: rows to statistics and to the table of the terminal
  versions: what two versions of a study say of its adaptations
  ranks: several comparisons in one table, by average rank
"""
