"""Cannot be imported: it needs a package that is not installed."""

import a_package_that_nobody_installed  # type: ignore[import-not-found]  # noqa: F401

from label_studio_ml.model import LabelStudioMLBase


class Unreachable(LabelStudioMLBase):
    pass
