import re

KIND = "sentinel1"
NAME = re.compile("sentinel1_NOT")
