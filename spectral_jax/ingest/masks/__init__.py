"""Cloud in products, found by models beside the products' own quality layers.

In the order in which they may import one another:

  asked: what a command may ask for
  by_spectf: cloud by the spectrum of a pixel alone
  by_omnicloudmask: cloud and its shadow by red, green and near infrared, with the neighbours of a pixel
  finder: products with what a model says of them among their flags
"""
