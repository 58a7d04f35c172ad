"""A script without a model class."""


def predict() -> None:
    """Not a method of anything."""
