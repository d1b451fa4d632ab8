"""Recipes that turn tags into attention maps and masks; started as a process."""
