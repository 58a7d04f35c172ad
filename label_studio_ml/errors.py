"""Every error this package raises, as one tree. No HTTP here: `server/statuses.py` gives each its status.

BackendError
├── UsageError                what a person typed or configured cannot work
│   ├── SourceError           the folder or script holds no usable model class
│   └── SettingError          a setting has a value that makes no sense
├── RequestError              what a client sent is wrong (names the field)
│   ├── BodyTooLarge          the body has more bytes than are accepted
│   ├── ClientGone            it closed its connection before it had the answer
│   ├── NotFound              the job or version asked for does not exist
│   └── Gone                  it existed once, and never will again
├── ModelError                the author's code failed
│   ├── LoadError             importing the module or constructing the class failed
│   ├── PredictError          predict() failed
│   │   └── InvalidPrediction what it returned cannot be stored or shown (names the reason and the control)
│   ├── RegionError           something found cannot be a region, or a region cannot be read
│   └── FitError              fit() failed
├── Unavailable               try again later
│   ├── WorkerDied            the process answering this request ended
│   └── StoreError            the database cannot be written or read
├── LabelStudioError          Label Studio did not answer as needed
└── MediaError                the media of a task cannot be had (names address and setting)
"""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "task",  # the task itself could not be read
    "shape",  # no prediction, or no region, where one should be
    "json",  # something in it has no JSON form
    "score",
    "control",  # `from_name` is no control of the labeling config
    "object",  # `to_name` is not what the control is on
    "type",  # not the control's
    "keys",  # some are missing
    "label",  # the labeling config does not have it
    "percentage",  # outside 0 to 100
    "span",  # ends before it starts
    "number",  # NaN or infinite
    "relation",  # of regions that do not exist, or without a direction
    "value",  # anything else that Label Studio refuses
]
"""What can be wrong with a prediction, in one word; few, so that a metric can count them."""


class BackendError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        """Use the class's own first line when no message is given."""
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


class UsageError(BackendError):
    """This cannot work as it was asked for."""


class SourceError(UsageError):
    """No usable model class was found."""


class SettingError(UsageError):
    """A setting has a value that makes no sense."""


class RequestError(BackendError):
    """The request is not understood."""


class BodyTooLarge(RequestError):
    """The request body is larger than this server accepts."""


class ClientGone(RequestError):
    """The client closed its connection before it had the answer."""


class NotFound(RequestError):
    """There is no such thing here."""


class Gone(RequestError):
    """There is no such thing any more."""


class ModelError(BackendError):
    """The model's own code failed."""


class LoadError(ModelError):
    """The model could not be loaded."""


class PredictError(ModelError):
    """The model's predict() failed."""


class InvalidPrediction(PredictError):
    """What predict() returned cannot be stored or shown by Label Studio."""

    def __init__(self, message: str, reason: Reason, control: str = "") -> None:
        """Say what was got, what is allowed, why in one word, and for which control, if for any."""
        super().__init__(message)
        self.reason = reason
        self.control = control


class RegionError(ModelError):
    """This cannot be a region."""


class FitError(ModelError):
    """The model's fit() failed."""


class Unavailable(BackendError):
    """The server cannot answer this right now."""


class WorkerDied(Unavailable):
    """The process that was answering this request ended."""

    def __init__(self, message: str | None = None, *, alone: bool = False, stuck: bool = False) -> None:
        """Say how it ended, whether it had nothing else to do, and whether we ended it because it took too long."""
        super().__init__(message)
        self.alone, self.stuck = alone, stuck


class StoreError(Unavailable):
    """The database cannot be used."""


class LabelStudioError(BackendError):
    """Label Studio did not answer as needed."""


class MediaError(BackendError):
    """The media of a task cannot be had."""


def one_line(error: BaseException) -> str:
    """Say what an exception is in one line: its type and the first line of its message."""
    text = message(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def message(error: BaseException) -> str:
    """What an exception says, even if it cannot say it."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an author's own exception
        return "(its message cannot be read)"
