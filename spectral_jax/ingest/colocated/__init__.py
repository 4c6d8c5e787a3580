"""Products of one region, of any sensors and dates, to a store of co-located patches on fixed squares of the ground.

In the order in which they may import one another:

  wanted: what is asked for: sensors, squares, dates, shares of cloud
  cells: fixed squares of the ground by UTM zone, and which of them are held out
  footprints: where a product's pixels lie, and which cells are wholly inside
  survey: every product opened once, and why some are left out
  warp: a product on the grid of a cell
  quality: how much of a cell holds data and is clear, by quality layers alone
  patch: a cell of a product that reads itself
  dates: which products of a cell are taken
  plan: from folders to rows, and to locations of a store
  rows: the plan as a table
  page: the plan as a page with a map
  build: a plan written, and the stores after it
"""
