"""Downstream: what a frozen or tuned encoder is worth."""
