"""Labelled data of downstream tasks: what a task is, its files as published, and one structure for all of them."""
