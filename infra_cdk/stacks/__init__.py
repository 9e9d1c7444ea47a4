"""Stacks only compose. What must survive has one of its own."""
