"""Answers of a language model behind any OpenAI-compatible endpoint, as the labeling config wants them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

Region = dict[str, Any]

FILLED = ("Choices", "Labels", "Pairwise", "TextArea")
"""Controls that are filled; others in the labeling config stay empty."""

PROMPT = "prompt"
"""A TextArea of this name is where people write the prompt."""

DEFAULT_PROMPT = "Fill in the fields for the following data."

AT_ONCE = int(os.environ.get("LLM_CONCURRENCY", "8"))
"""Requests to the endpoint at the same time."""


MOST_TOKENS = 1000
"""Of an answer; a longer one is no use, for its JSON does not end."""


class Llm(LabelStudioMLBase):
    """Fills `Choices`, `TextArea`, `Labels` on a `Text` and `Pairwise`.

    Where the model is, say OPENAI_BASE_URL, OPENAI_MODEL and OPENAI_API_KEY; a project can have another `model`,
    `base_url` or `prompt` in the model's extra parameters. LLM_MAX_LENGTH limits the characters of texts, for
    endpoints that understand `maxLength` in a schema: small models go on and on otherwise.
    """

    def setup(self) -> None:
        """Read the labeling config and the settings."""
        controls = [one for one in self.label_interface.controls if one.name != PROMPT]
        self.controls = {one.name: one for one in controls if one.tag in FILLED}
        if not self.controls:
            raise ValueError(f"This model fills {', '.join(FILLED)}; the labeling config has none of them.")
        self.fields = [one.value_name for one in self.label_interface.objects]
        self.schema = self.label_interface.to_json_schema()
        every = self.schema["properties"]
        self.schema["properties"] = {name: self.form(one, every[name]) for name, one in self.controls.items()}
        self.schema |= {"required": list(self.controls), "additionalProperties": False}
        learned = (self.train_output or {}).get("prompt")
        self.prompt = str(
            learned or self.extra_params.get("prompt") or os.environ.get("LLM_PROMPT") or DEFAULT_PROMPT
        )
        other = self.extra_params.get("base_url")
        # Whoever may change a project must not be able to have the key sent elsewhere.
        self.key = "" if other else os.environ.get("OPENAI_API_KEY", "")
        url = other or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        self.url = f"{str(url).rstrip('/')}/chat/completions"
        self.name = str(self.extra_params.get("model") or os.environ.get("OPENAI_MODEL") or "gpt-4o-mini")

    def form(self, control: Any, schema: dict[str, Any]) -> dict[str, Any]:
        """What an answer may be. Language models cannot count characters: spans are asked for by their words."""
        limit = int(os.environ.get("LLM_MAX_LENGTH") or 0)
        text = {"type": "string", "maxLength": limit} if limit else {"type": "string"}
        if control.tag == "TextArea":
            return text
        if control.tag != "Labels":
            return {name: value for name, value in schema.items() if name != "uniqueItems"}  # OpenAI refuses it
        word = {"text": text, "label": {"type": "string", "enum": list(control.labels)}}
        item = {"type": "object", "properties": word, "required": list(word), "additionalProperties": False}
        return {"type": "array", "maxItems": 20, "items": item}

    async def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any] | list[Any]]:
        """Ask for every task at once. A prompt that somebody just wrote on the labeling page is used right away."""
        written = prompt_in((context or {}).get("result") or [])
        turns = asyncio.Semaphore(AT_ONCE)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        async with httpx.AsyncClient(timeout=90, headers=headers) as client:

            async def one(task: dict[str, Any]) -> dict[str, Any] | Exception:
                async with turns:
                    try:
                        answer = await self.ask(client, task["data"], written or self.prompt)
                        return {"result": self.regions(answer, task["data"])}
                    except (httpx.HTTPError, AttributeError, LookupError, TypeError, ValueError) as error:
                        logger.warning("Task %s has no answer: %s: %s", task.get("id"), type(error).__name__, error)
                        return error

            answers = await asyncio.gather(*(one(task) for task in tasks))
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if len(failed) == len(tasks):
            raise failed[0]  # nothing works: people should see why, instead of seeing nothing
        # Each answer has a price, so those that came are not thrown away for those that did not.
        return [[] if isinstance(answer, Exception) else answer for answer in answers]

    async def ask(self, client: httpx.AsyncClient, data: Mapping[str, Any], prompt: str) -> dict[str, Any]:
        """One request; an answer that fits the schema."""
        lines = [f"{field}: {data[field]}" for field in self.fields]
        shape = {"name": "answer", "strict": True, "schema": self.schema}
        body = {
            "model": self.name,
            "temperature": 0,
            "max_tokens": MOST_TOKENS,
            "messages": [{"role": "system", "content": prompt}, {"role": "user", "content": "\n".join(lines)}],
            "response_format": {"type": "json_schema", "json_schema": shape},
        }
        reply = await client.post(self.url, json=body)
        if reply.is_error:
            raise ValueError(f"{self.url} answered {reply.status_code}: {reply.text[:300]}")
        answer: dict[str, Any] = json.loads(reply.json()["choices"][0]["message"]["content"])
        return answer

    def regions(self, answer: Mapping[str, Any], data: Mapping[str, Any]) -> list[Region]:
        """An answer in Label Studio's form."""
        found: list[Region] = []
        for name, control in self.controls.items():
            value, to_name = answer.get(name), control.to_name[0]
            if not value:
                continue
            if control.tag == "Choices":
                found.append(regions.choices(name, to_name, value))
            elif control.tag == "TextArea":
                found.append(regions.text_area(name, to_name, value))
            elif control.tag == "Pairwise":
                found.append(regions.pairwise(name, to_name, value))
            else:
                text = str(data[self.label_interface.get_object(to_name).value_name])
                found += spans(name, to_name, text, value)
        return found

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Take the prompt of the newest annotation that has one; each is a version, to which one can go back."""
        made = [
            one
            for task in annotations
            for one in task.get("annotations") or []
            if prompt_in(one.get("result") or [])
        ]
        if not made:
            return None
        prompt = prompt_in(max(made, key=lambda one: str(one.get("updated_at") or ""))["result"])
        return {"prompt": prompt} if prompt != self.prompt else None


def prompt_in(result: Iterable[Region]) -> str:
    """The prompt among some regions; empty if there is none."""
    written = [region for region in result if region.get("from_name") == PROMPT]
    return "\n".join(regions.read_text_area(written[-1])).strip() if written else ""


def spans(name: str, to_name: str, text: str, words: list[dict[str, str]]) -> list[Region]:
    """Where in a text its words are, each at its next place that is not taken; what is not in it is left out."""
    found: list[Region] = []
    taken = [False] * len(text)
    for word in words:
        start = text.find(word["text"]) if word["text"] else -1
        while start >= 0 and any(taken[start : start + len(word["text"])]):
            start = text.find(word["text"], start + 1)
        if start >= 0:
            end = start + len(word["text"])
            taken[start:end] = [True] * (end - start)
            found.append(regions.text_span(name, to_name, word["label"], text=text, start=start, end=end))
    return found
