"""Two model classes: which one is meant has to be said."""

from label_studio_ml.model import LabelStudioMLBase


class First(LabelStudioMLBase):
    pass


class Second(LabelStudioMLBase):
    pass
