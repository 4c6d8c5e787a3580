"""Addresses of buckets and servers, wherever a command takes a path: gs://, s3://, and https:// for reading.

In the order in which they may import one another:

  address: what an address is: its scheme, its bucket, and what TensorStore calls it
  bucket: files of a bucket: read, written, listed, removed, tried again where that helps
  fetched: a copy on this machine of what lies at an address
  mirror: a folder of this machine that is kept in a bucket while a command fills it
  steps: numbered folders of a bucket, each there whole or not at all
  lease: one run in one work folder, on this machine or in a bucket
  work: a run's work folder, wherever it is
"""
