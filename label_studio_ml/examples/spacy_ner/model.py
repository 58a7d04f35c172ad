"""Labels in texts by spaCy: any pipeline to start with, fine-tuned on what people label; or a blank one."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import spacy
from lxml import etree
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import filter_spans, fix_random_seed, minibatch

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

Region = dict[str, Any]

ROUNDS = 30
"""How often a training goes through all annotated texts."""


class SpacyNer(LabelStudioMLBase):
    """Fills the first `Labels` on a `Text`, and `Relations` by verbs where the pipeline has a parser.

    SPACY_PIPELINE, or `pipeline` in the model's extra parameters, names a package or folder to start with, such as
    `en_core_web_sm`; without it, a blank pipeline of SPACY_LANGUAGE (default `xx`, any language) learns everything.
    """

    def setup(self) -> None:
        """Read the labeling config, and load the trained pipeline, or the one to start with."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("Labels", "Text")
        self.base = self.extra_params.get("pipeline") or os.environ.get("SPACY_PIPELINE") or ""
        self.verbs = [str(one.get("value")) for one in etree.fromstring(self.label_config).iter("Relation")]
        self.nlp: Language | None = None
        if self.train_output:
            self.nlp = spacy.load(self.train_output["model_path"])
        elif self.base:
            self.nlp = spacy.load(self.base)
        known = self.nlp.get_pipe("ner").labels if self.nlp else ()
        self.names = self.build_label_map(self.from_name, list(known)) if known else {}

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any] | list[Any]]:
        """Predict the spans of each text; without any pipeline nothing. What is raised costs its task alone."""
        texts = [self.text(task) for task in tasks]
        if self.nlp is None:
            yield from ([] for _ in tasks)
            return
        for doc in self.nlp.pipe(texts, batch_size=32):
            spans = {entity: self.region(entity) for entity in doc.ents if entity.label_ in self.names}
            yield {"result": [*spans.values(), *self.relations(doc, spans)]}

    def text(self, task: Mapping[str, Any]) -> str:
        text = task["data"][self.value]
        if not isinstance(text, str):
            raise TypeError(f"{self.value!r} is a {type(text).__name__}, not a text.")
        return text

    def region(self, entity: Span) -> Region:
        label, text = self.names[entity.label_], entity.doc.text
        start, end = entity.start_char, entity.end_char
        return regions.text_span(self.from_name, self.to_name, label, text=text, start=start, end=end)

    def relations(self, doc: Doc, spans: Mapping[Span, Region]) -> Iterator[Region]:
        """Who does what with whom: spans that are subject and object of a verb that is the name of a relation."""
        if not (self.verbs and doc.has_annotation("DEP")):
            return
        place = {token.i: entity for entity in spans for token in entity}
        for verb in doc:
            if verb.pos_ != "VERB":
                continue
            names = [name for name in self.verbs if name.lower().startswith(verb.lemma_.lower())]
            parts = [(child.dep_, child) for child in verb.children]
            said = {word for name in names for word in name.lower().split()}  # the "in" of "lives in"
            parts += [("obj", one) for _, child in parts if child.lower_ in said for one in child.children]
            subjects = [place[part.i] for kind, part in parts if "subj" in kind and part.i in place]
            objects = [place[part.i] for kind, part in parts if "obj" in kind and part.i in place]
            for name in names[:1]:
                yield from (regions.relation(spans[a], spans[b], name) for a in subjects for b in objects)

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train on all annotated texts of the project, beginning with the pipeline to start with every time."""
        fix_random_seed(0)
        nlp = spacy.load(self.base) if self.base else spacy.blank(os.environ.get("SPACY_LANGUAGE") or "xx")
        ner = nlp.get_pipe("ner") if "ner" in nlp.pipe_names else nlp.add_pipe("ner")
        meant = {
            label: name for name, label in reversed(self.build_label_map(self.from_name, list(ner.labels)).items())
        }
        examples, labels = [], set[str]()
        for task, found in regions.annotated_tasks(annotations, self.from_name):
            doc, spans = nlp.make_doc(self.text(task)), []
            for one in map(regions.read_text_span, found):
                name = meant.get(str(one.label), str(one.label))
                spans.append(doc.char_span(one.start, one.end, label=name, alignment_mode="expand"))
            entities = filter_spans([span for span in spans if span is not None])  # spaCy's spans do not overlap
            labels.update(span.label_ for span in entities)
            told = [(span.start_char, span.end_char, span.label_) for span in entities]
            examples.append(Example.from_dict(doc, {"entities": told}))
        if not labels:
            logger.info("Not training yet: none of %d texts has a label.", len(examples))
            return None
        for label in sorted(labels):
            ner.add_label(label)
        with nlp.select_pipes(enable="ner"):
            optimizer = nlp.resume_training() if self.base else nlp.initialize(lambda: examples)
            chance = random.Random(0)
            for number in range(1, ROUNDS + 1):
                losses: dict[str, float] = {}
                chance.shuffle(examples)
                for batch in minibatch(examples, size=8):
                    nlp.update(batch, drop=0.2, sgd=optimizer, losses=losses)
                self.progress(number / ROUNDS, loss=losses["ner"])
        model_path = str(Path(workdir or ".") / "pipeline")
        nlp.to_disk(model_path)
        logger.info("Trained on %d texts with %d labels.", len(examples), len(labels))
        return {"model_path": model_path, "texts": len(examples), "labels": sorted(labels)}
