"""How every page looks: one file that opens without a network.

In the order in which they may import one another:

  style: one colour, marker and line a model; figures without global state
  html: sections, tables, figures, one style sheet; all text is escaped here
  pictures: label maps and images as embedded PNGs
"""
