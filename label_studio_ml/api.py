"""`init_app`: a model class as an application for any web server. What a backend's `_wsgi.py` imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server.wsgi import BackendApp

__all__ = ["init_app"]

# What older packages passed for their own queues and folders; it means nothing here, except the folder.
_OUTDATED = ("redis_queue", "redis_host", "redis_port", "use_redis", "model_version", "force_reload")


def init_app(
    model_class: type[Any],
    basic_auth_user: str | None = None,
    basic_auth_pass: str | None = None,
    **kwargs: Any,
) -> BackendApp:
    """Make an application of a model class. Nothing starts before the first request.

    Args:
        model_class: a class that inherits from `LabelStudioMLBase`.
        basic_auth_user: user name Label Studio must send.
        basic_auth_pass: its password.
        **kwargs: `model_dir`, and arguments for the class's constructor.

    Returns:
        An object that works as an ASGI app and as a WSGI app, with `.run()`, `.config` and `.test_client()`.

    Raises:
        ValueError: it is not a model class.

    >>> from label_studio_ml.model import LabelStudioMLBase
    >>> class Nothing(LabelStudioMLBase):
    ...     def predict(self, tasks, **kwargs):
    ...         return [{"result": [], "score": 0.5} for task in tasks]
    >>> with init_app(Nothing).test_client() as client:
    ...     client.post("/predict", json={"tasks": [{"id": 1, "data": {}}]}).json
    {'results': [{'result': [], 'score': 0.5, 'model_version': '0.0.1'}]}
    """
    from .model import LabelStudioMLBase
    from .server.wsgi import BackendApp

    if not (isinstance(model_class, type) and issubclass(model_class, LabelStudioMLBase)):
        raise ValueError(  # noqa: TRY004 - as older packages did
            f"{model_class!r} is not a class that inherits from LabelStudioMLBase."
        )
    given = {
        "basic_auth_user": basic_auth_user or None,
        "basic_auth_pass": basic_auth_pass or None,
        "model_dir": kwargs.pop("model_dir", None) or None,
    }
    return BackendApp(
        model_class,
        {name: value for name, value in given.items() if value is not None},
        {name: value for name, value in kwargs.items() if name not in _OUTDATED},
    )


def __getattr__(name: str) -> Any:
    if name == "_server":  # an app for the bare base class, as older code imports it
        from .model import LabelStudioMLBase

        globals()["_server"] = init_app(LabelStudioMLBase)
        return globals()["_server"]
    raise AttributeError(name)
