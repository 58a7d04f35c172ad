"""What to do about each thing that the checks can find."""

from __future__ import annotations

CONFIG = (
    "Correct the labeling config; Label Studio's own editor (Settings, Labeling Interface) shows what is wrong."
)
IMPORT = "Install what the model needs (pip install -r requirements.txt), and make its file import without errors."
LOAD = (
    "Make the class load without a training, and without files that only a training writes. If setup() looks for "
    "tags that this labeling config does not have, give a config that the model is made for (--label-config)."
)
RAISES = "Make predict() handle this task, or let it return [] for it: the other tasks keep their predictions."
COUNT = "Return a list with exactly one item per task, in the order of the tasks; [] where there is no prediction."
JSON = "Return numbers, strings, lists and dicts. Leave out what is not finite, or replace it by a number."
SLOW = "Use a smaller model, a GPU, or let predict() return earlier: after this time the prediction is lost."
BATCH = "Label Studio sends many tasks at once: let predict() loop over tasks instead of expecting one."
BATCH_DIFFERS = (
    "A prediction should not depend on which tasks are in its batch. Look for state kept between tasks, "
    "results in another order than the tasks, and padding that changes what the model sees."
)
CONTEXT = (
    "An interactive call has context['result'], a list with the region that was just drawn; its other keys vary. "
    "Read them with .get(), and ignore a context of a kind you do not use."
)
NOTHING_SHOWN = (
    "If these samples hold nothing that the model could find, this is fine: try tasks of your own (--project N, or "
    "check_backend(..., tasks=[...])). Else look at what predict() returns, and for which control tags."
)
NOT_LEARNING = (
    "fit() makes a new version by returning a dict, by self.set(...), or by writing files into its workdir or "
    "MODEL_DIR. If it waits for more annotations than there are here, raise --tasks."
)
RELOAD = "What fit() returns, sets or writes must be enough to construct the class again in another process."
AFTER_FIT = "The version before could predict this task: check what a new instance loads of what fit() left."
FIT = "A job whose fit() raises is marked failed, and the version before it goes on predicting."

_NAMES = "Take names from the labeling config: self.get_first_tag_occurence(control, object)."

_EVENTS = {
    "Start training": "START_TRAINING brings no annotation: look at `event` before you look into `data`.",
    "Fit: skipped task": (
        "Leave out annotations with was_cancelled: a skipped task has an annotation with an empty result."
    ),
    "Fit: deleted annotation": (
        "ANNOTATION_DELETED brings only the annotation's id. Handle it by `event`, or leave it out of TRAIN_EVENTS."
    ),
    "Fit: nothing annotated": "Start training can be pressed before anything is annotated: return None then.",
}


def event(check: str) -> str:
    """What to do when fit() raises on an event."""
    return _EVENTS.get(check, FIT)


_FITS = {
    "score": "`score` is a number from 0 to 1, or left out.",
    "control": _NAMES,
    "object": _NAMES,
    "label": (
        "Use labels of the labeling config, spelled as there: self.build_label_map(control, your_labels) maps "
        "them; leave out what has no match."
    ),
}


def fits(reason: str) -> str:
    """What to do about a prediction that Label Studio would refuse, by the reason of its problem."""
    shape = "Shape the region as the control's tag needs it; `label_studio_ml.regions` has a function for each."
    return _FITS.get(reason, shape)


def unknown_calls(calls: str) -> str:
    """What to say when the model asked Label Studio for more than is played."""
    return f"It also asked Label Studio for {calls}, which is not played here: --project N uses your Label Studio."
