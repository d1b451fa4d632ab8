"""What the trainer says to a person when it cannot go on."""


class TrainingError(Exception):
    """What went wrong, what is accepted and what to do, as one or two plain sentences."""


class Diverged(TrainingError):
    """What is computed is no longer a number."""


class OutOfMemory(TrainingError):
    """The device's memory does not hold the batch."""
