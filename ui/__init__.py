"""The web page: one builder a tab, thin handlers, no truth of its own."""
