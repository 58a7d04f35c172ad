"""Every setting of the server: what there is (`fields`), and how it is read (`reading`)."""

from .credentials import named_secrets, secrets
from .fields import SPECS, Settings, env_names
from .folders import label_studio_uploads, user_media_folder
from .hosts import PrivateHosts, private_hosts
from .reading import load, of_environment
from .spec import Group, option_names, shown_default, variables_of
from .units import duration, size

__all__ = [
    "SPECS",
    "Group",
    "PrivateHosts",
    "Settings",
    "duration",
    "env_names",
    "label_studio_uploads",
    "load",
    "named_secrets",
    "of_environment",
    "option_names",
    "private_hosts",
    "secrets",
    "shown_default",
    "size",
    "user_media_folder",
    "variables_of",
]
