"""Says everything it knows, credentials included, in every way an author might, in predict() and in fit()."""

from __future__ import annotations

import logging
import sys
from typing import Any

import httpx

from label_studio_ml.model import LabelStudioMLBase


class Talkative(LabelStudioMLBase):
    def say_everything(self) -> None:
        token, url = self.access_token, f"http://me:{self.access_token}@host/x?token={self.access_token}"
        request = httpx.Request("GET", url, headers={"Authorization": f"Token {token}"})
        for level in (logging.DEBUG, logging.INFO, logging.ERROR):
            logging.getLogger("author").log(level, "%s %s %s", request.headers.raw, dict(request.headers), url)
        print("token", token, token.encode(), url, self.extra_params, vars(self._state))
        print(f"stderr {token}", file=sys.stderr)
        try:
            raise ValueError(f"cannot use {token}")
        except ValueError:
            logging.getLogger("author").exception("It failed")

    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        self.say_everything()
        if any(task.get("id") == 13 for task in tasks):
            raise ValueError(f"cannot use {self.access_token}")
        return [{"result": []} for _ in tasks]

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        self.say_everything()
        if event == "START_TRAINING":
            raise ValueError(f"cannot use {self.access_token}")
        return {"trained": True}
