"""Your model. Label Studio asks `predict()` for predictions and has `fit()` learn from annotations."""

from collections import Counter

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase


class NewModel(LabelStudioMLBase):
    """Predicts the choice that annotators made most often so far: the simplest model that learns."""

    def setup(self):
        """Called once when the model is loaded. Load weights here."""
        # The first <Choices> on a <Text> in the project's labeling config. For boxes on images:
        # self.get_first_tag_occurence("RectangleLabels", "Image")
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("Choices", "Text")
        self.choices = list(self.parsed_label_config[self.from_name]["labels"])

        # What fit() returned the last time it ran for this project; {} before that.
        self.counts = self.train_output.get("counts", {})

    def predict(self, tasks, context=None, **kwargs):
        """Return one prediction for each task, in the same order.

        `task["data"][self.value]` is the text of a task. `context` is what the annotator just drew, when a
        prediction is asked for while annotating, and otherwise None.
        """
        best = max(self.choices, key=lambda choice: self.counts.get(choice, 0))
        seen = sum(self.counts.values())
        score = self.counts.get(best, 0) / seen if seen else 1 / len(self.choices)
        region = regions.choices(self.from_name, self.to_name, best)
        return [{"result": [region], "score": score} for task in tasks]

    def fit(self, annotations, workdir=None, **kwargs):
        """Learn from the project's annotated tasks; runs in the background, as long as it needs.

        What it returns is `self.train_output` from then on. Files belong into the folder `workdir`.
        """
        counts = Counter(
            choice
            for task, region in regions.annotated(annotations, self.from_name)
            for choice in regions.read_choices(region)
        )
        return {"counts": dict(counts)}
