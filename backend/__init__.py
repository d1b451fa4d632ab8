"""What the web app and the trainer share; imports neither of them."""
