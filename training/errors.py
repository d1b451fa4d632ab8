"""What the trainer says to a person when it cannot go on."""


class TrainingError(Exception):
    """What went wrong, what is accepted and what to do, as one or two plain sentences."""
