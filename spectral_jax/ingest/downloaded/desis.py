import re

KIND = "desis"
NAME = re.compile("desis_NOT")
