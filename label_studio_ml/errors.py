"""Every error this package raises, as one tree. No HTTP here: `web/errors.py` gives each its status.

BackendError
├── UsageError                what a person typed or configured cannot work
│   ├── SourceError           the folder or script holds no usable model class
│   └── SettingError          a setting has a value that makes no sense
├── RequestError              what a client sent is wrong (names the field)
│   ├── BodyTooLarge
│   └── NotFound              the job or version asked for does not exist
├── ModelError                the author's code failed
│   ├── LoadError             importing the module or constructing the class failed
│   ├── PredictError          predict() failed
│   └── FitError              fit() failed
├── Unavailable               try again later
│   ├── WorkerDied            the process answering this request ended
│   └── StoreError            the database cannot be written or read
├── LabelStudioError          Label Studio did not answer as needed
└── MediaError                the media of a task cannot be had (names address and setting)
"""

from __future__ import annotations


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


class NotFound(RequestError):
    """There is no such thing here."""


class ModelError(BackendError):
    """The model's own code failed."""


class LoadError(ModelError):
    """The model could not be loaded."""


class PredictError(ModelError):
    """The model's predict() failed."""


class FitError(ModelError):
    """The model's fit() failed."""


class Unavailable(BackendError):
    """The server cannot answer this right now."""


class WorkerDied(Unavailable):
    """The process that was answering this request ended."""


class StoreError(Unavailable):
    """The database cannot be used."""


class LabelStudioError(BackendError):
    """Label Studio did not answer as needed."""


class MediaError(BackendError):
    """The media of a task cannot be had."""


def one_line(error: BaseException) -> str:
    """Say what an exception is in one line: its type and the first line of its message."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
