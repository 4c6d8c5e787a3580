import re

KIND = "prisma"
NAME = re.compile("prisma_NOT")
