"""Showing a workspace to others: two sides compared, figures for papers, a run's report.

Nothing here changes the workspace; all of it works on one that is open read-only.
"""
