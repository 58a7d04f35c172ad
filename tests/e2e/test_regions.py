"""Every builder of `label_studio_ml.regions`: what a real Label Studio stores, and what an annotator sees."""

from __future__ import annotations

import base64
import contextlib
import http.server
import importlib.util
import io
import shutil
import threading
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from scripts.browser import Browser, browser
from scripts.label_studio import Account, Json, LabelStudio, LabelStudioServer
from scripts.processes import wait_until
from tests.support.missing import missing
from tests.support.paths import BACKENDS
from tests.support.servers import servers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # the first test may have to install Label Studio

T = TypeVar("T")

BACKEND = BACKENDS / "every_region.py"

IMAGE = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="rectangle" toName="image"><Label value="Rectangle" background="#ff0000"/></RectangleLabels>
  <RectangleLabels name="turned" toName="image"><Label value="Turned" background="#ff8800"/></RectangleLabels>
  <PolygonLabels name="polygon" toName="image"><Label value="Polygon" background="#00aa00"/></PolygonLabels>
  <EllipseLabels name="ellipse" toName="image"><Label value="Ellipse" background="#0000ff"/></EllipseLabels>
  <KeyPointLabels name="keypoint" toName="image"><Label value="KeyPoint" background="#ff00ff"/></KeyPointLabels>
  <BrushLabels name="brush" toName="image"><Label value="Brush" background="#00cccc"/></BrushLabels>
  <Labels name="part" toName="image"><Label value="Word" background="#8800ff"/></Labels>
  <Rectangle name="word" toName="image"/>
  <TextArea name="read" toName="image" perRegion="true"/>
</View>
"""

TEXT = """
<View>
  <Text name="text" value="$text"/>
  <Labels name="entity" toName="text"><Label value="Person"/><Label value="Place"/></Labels>
  <Relations><Relation value="lives in"/></Relations>
  <HyperText name="page" value="$html"/>
  <HyperTextLabels name="passage" toName="page"><Label value="Passage"/></HyperTextLabels>
  <HyperTextLabels name="cell" toName="page"><Label value="Cell"/></HyperTextLabels>
  <Paragraphs name="talk" value="$talk"/>
  <ParagraphLabels name="utterance" toName="talk"><Label value="Greeting"/></ParagraphLabels>
  <Choices name="mood" toName="text"><Choice value="Happy"/><Choice value="Sad"/></Choices>
  <Taxonomy name="kind" toName="text"><Choice value="Letter"><Choice value="Private"/></Choice></Taxonomy>
  <TextArea name="summary" toName="text"/>
  <Rating name="stars" toName="text"/>
  <Number name="count" toName="text"/>
  <DateTime name="when" toName="text"/>
  <Pairwise name="better" toName="left,right"/>
  <Text name="left" value="one answer"/>
  <Text name="right" value="another answer"/>
  <List name="results" value="$results"/>
  <Ranker name="rank" toName="results"/>
</View>
"""

MEDIA = """
<View>
  <Video name="video" value="$video" frameRate="25"/>
  <VideoRectangle name="track" toName="video"/>
  <Labels name="vehicle" toName="video"><Label value="Car" background="#ff0000"/></Labels>
  <TimelineLabels name="action" toName="video"><Label value="Jump"/></TimelineLabels>
  <Audio name="audio" value="$audio"/>
  <Labels name="sound" toName="audio"><Label value="Speech"/></Labels>
  <TimeSeries name="series" value="$series" valueType="json" timeColumn="t"><Channel column="v"/></TimeSeries>
  <TimeSeriesLabels name="state" toName="series"><Label value="Run"/></TimeSeriesLabels>
</View>
"""

COLOURS = {
    "rectangle": (255, 0, 0),
    "turned": (255, 136, 0),
    "polygon": (0, 170, 0),
    "ellipse": (0, 0, 255),
    "keypoint": (255, 0, 255),
    "brush": (0, 204, 204),
    "word": (136, 0, 255),
}
"""By region, the colour of its label above."""

HIGHLIGHTED = """
const frames = [...document.querySelectorAll("iframe")].map(frame => frame.contentDocument).filter(Boolean);
const spans = [document, ...frames].flatMap(page => [...page.querySelectorAll(".htx-highlight")]);
return spans.map(span => span.textContent);
"""

PLACE_OF_THE_LARGEST = """
const places = [...document.querySelectorAll(arguments[0])].map(element => element.getBoundingClientRect());
const {x, y, width, height} = places.reduce((one, other) => other.width > one.width ? other : one);
return [x, y, width, height];
"""

VIDEO_IS_LOADED = """
const video = Htx.annotationStore.selected?.names.get("video");
return video?.length === arguments[0] && document.querySelector(".konvajs-content") !== null;
"""

SHOW_FRAME = "Htx.annotationStore.selected.names.get('video').setFrame(arguments[0])"

SUBMIT = "document.querySelector('button[name=submit]').click()"


def load_backend() -> Any:
    """The backend's module, as the server imports it."""
    spec = importlib.util.spec_from_file_location("every_region", BACKEND)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


every_region = load_backend()


def white_image() -> str:
    """An image without anything on it, as an address."""
    content = io.BytesIO()
    Image.new("RGB", every_region.SIZE, "white").save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def write_media(folder: Path) -> None:
    """A second of silence, and a video in which a grey box goes across as the model will say."""
    with wave.open(str(folder / "audio.wav"), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(8000)
        audio.writeframes(bytes(2 * 8000))
    width, height = every_region.VIDEO["size"]
    code = cv2.VideoWriter.fourcc(*"VP80")
    video = cv2.VideoWriter(str(folder / "video.webm"), code, every_region.VIDEO["fps"], (width, height))
    for frame in range(every_region.VIDEO["frames"]):
        picture = np.full((height, width, 3), 255, np.uint8)
        if frame in every_region.CAR:
            left, top, across, down = every_region.CAR[frame]
            picture[top : top + down, left : left + across] = 128
        video.write(picture)
    video.release()


class Media(http.server.SimpleHTTPRequestHandler):
    """Files of a folder for everybody: pages of other servers may read them."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def media_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("media")
    write_media(folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Media, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def task_data(media_url: str) -> Json:
    """What all three labeling configs show."""
    return {
        "image": white_image(),
        "text": every_region.TEXT,
        "html": every_region.HTML,
        "talk": [{"author": "somebody", "text": text} for text in every_region.DIALOGUE],
        "results": [{"id": name, "title": name, "body": name} for name in "abc"],
        "audio": f"{media_url}/audio.wav",
        "video": f"{media_url}/video.webm",
        "series": {"t": list(range(10)), "v": [0, 1] * 5},
    }


@dataclass(frozen=True, kw_only=True)
class Connected:
    """A project with one task and its prediction."""

    api: LabelStudio
    project: int
    task: int
    built: list[Json]
    """The regions, as the builders make them."""

    @property
    def has_video(self) -> bool:
        """Whether the page has to load a video first."""
        return any(region["type"] == "videorectangle" for region in self.built)

    @property
    def address(self) -> str:
        """The page on which an annotator sees the task."""
        return f"{self.api.url}/projects/{self.project}/data?task={self.task}"


@pytest.fixture(scope="module")
def backend_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers(tmp_path_factory.mktemp("regions") / "state") as start:
        yield start(BACKEND).url


@pytest.fixture(scope="module")
def connected(label_studio_server: LabelStudioServer, backend_url: str, media_url: str) -> dict[str, Connected]:
    """A project for each labeling config, its predictions retrieved."""
    api, found = label_studio_server.api, {}
    for name, label_config in {"image": IMAGE, "text": TEXT, "media": MEDIA}.items():
        project = api.create_project(f"regions: {name}", label_config)
        (task,) = api.import_tasks(project, [task_data(media_url)])
        api.connect(project, backend_url)
        api.retrieve_predictions(project)
        (prediction,) = every_region.EveryRegion(label_config=label_config).predict([{}])
        found[name] = Connected(api=api, project=project, task=task, built=prediction["result"])
    return found


@pytest.fixture(scope="module")
def window(label_studio_server: LabelStudioServer) -> Iterator[Browser]:
    """A browser that is logged in."""
    if shutil.which("chromedriver") is None:
        missing("chromedriver", "chromium-driver")
    with browser() as opened:
        opened.log_in(label_studio_server.url, Account())
        yield opened


def show(window: Browser, project: Connected) -> None:
    """Open the task and wait until the page lists the prediction."""
    window.open(project.address)
    shown = "return document.body.innerText.includes('every-region')"
    wait_until(lambda: window.run(shown), 60, "the prediction on the page")
    if project.has_video:
        wait_until(lambda: window.run(VIDEO_IS_LOADED, every_region.VIDEO["frames"]), 60, "the video")


def test_every_builder_is_used(connected: dict[str, Connected]) -> None:
    made = {region.get("from_name") for project in connected.values() for region in project.built}
    assert made - {"part", "read", None} == set(every_region.EVERY)


@pytest.mark.parametrize("name", ["image", "text", "media"])
def test_every_region_is_stored_exactly_as_built(connected: dict[str, Connected], name: str) -> None:
    project = connected[name]
    (stored,) = project.api.predictions(project.project)
    assert stored["result"] == project.built


def expected_shapes() -> dict[str, npt.NDArray[np.bool_]]:
    """Where each region is on the image, drawn by OpenCV from what the model said."""
    drawn = {name: np.zeros(every_region.SIZE[::-1], np.uint8) for name in COLOURS}
    cv2.rectangle(drawn["rectangle"], (40, 40), (139, 119), 1, -1)
    cv2.fillPoly(drawn["turned"], [cv2.boxPoints(((260, 80), (100, 50), 30)).round().astype(np.int32)], 1)
    cv2.fillPoly(drawn["polygon"], [np.array([[360, 40], [440, 40], [400, 130]], np.int32)], 1)
    cv2.ellipse(drawn["ellipse"], ((550, 90), (120, 60), 45), 1, -1)
    cv2.circle(drawn["keypoint"], (90, 300), round(0.015 * every_region.SIZE[0]), 1, -1)
    cv2.circle(drawn["brush"], (260, 300), 50, 1, -1)
    cv2.rectangle(drawn["word"], (380, 270), (499, 309), 1, -1)
    return {name: shape.astype(bool) for name, shape in drawn.items()}


def coloured(image: npt.NDArray[np.float64], colour: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """The pixels that are white with some of a colour laid over it."""
    missing, full = 255 - image, 255 - np.array(colour, float)
    share = missing @ full / (full @ full)
    rest = np.linalg.norm(missing - share[..., None] * full, axis=-1)
    found: npt.NDArray[np.bool_] = (share > 0.1) & (rest < 3 + 0.15 * np.linalg.norm(missing, axis=-1))
    return found


def seen_image(window: Browser) -> npt.NDArray[np.float64]:
    """The image with its regions as it is on the screen, scaled back to its own size."""
    x, y, width, height = window.run(PLACE_OF_THE_LARGEST, "img")
    picture = Image.open(io.BytesIO(window.picture())).convert("RGB")
    part = picture.resize(every_region.SIZE, Image.Resampling.BILINEAR, (x, y, x + width, y + height))
    return np.asarray(part, float)


def misplaced(window: Browser) -> dict[str, int]:
    """By region, how many pixels have its colour too far outside, or inside have it not; borders have a width."""
    image, wrong = seen_image(window), {}
    for name, shape in expected_shapes().items():
        drawn = coloured(image, COLOURS[name])
        inner = cv2.erode(shape.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        outer = cv2.dilate(shape.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
        wrong[name] = int((drawn & ~outer).sum() + (inner & ~drawn).sum())
    return wrong


def test_on_the_labeling_page_each_region_is_where_the_model_saw_it(
    connected: dict[str, Connected], window: Browser, tmp_path: Path
) -> None:
    show(window, connected["image"])

    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not any(misplaced(window).values()), 30, "all regions")  # drawn one after another
    (tmp_path / "image.png").write_bytes(window.picture())
    assert misplaced(window) == dict.fromkeys(COLOURS, 0)


def test_on_the_labeling_page_spans_highlight_the_words_that_the_model_meant(
    connected: dict[str, Connected], window: Browser
) -> None:
    show(window, connected["text"])
    words = ["Ada", "Ada Lovelace", "Good day", "London", "London & more", "and"]
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: sorted(window.run(HIGHLIGHTED)) == words, 30, "all spans")
    assert sorted(window.run(HIGHLIGHTED)) == words


def box_over_object(window: Browser) -> tuple[int, int] | None:
    """Left and right of the video's box on the screen; None while there is none, or the object is not under it."""
    x, y, width, height = window.run(PLACE_OF_THE_LARGEST, ".konvajs-content")
    picture = Image.open(io.BytesIO(window.picture())).convert("RGB").crop((x, y, x + width, y + height))
    pixels = np.asarray(picture, float)
    uncovered = (abs(pixels - 128) < 12).all(axis=-1).sum()
    _, columns = np.nonzero(coloured(pixels, (255, 0, 0)))
    if uncovered > 50 or len(columns) < 100:
        return None
    return int(columns.min()), int(columns.max())


def shown_frame(window: Browser, project: Connected, number: int, arrived: Callable[[], T | None]) -> T:
    """Show a frame of the video and wait for what is to be seen then.

    Now and then Label Studio's player comes up deaf and stays at its first frame; then the page is opened again.
    """
    for _ in range(3):
        window.run(SHOW_FRAME, number)
        with contextlib.suppress(TimeoutError):
            return wait_until(arrived, 15, "")
        show(window, project)
    window.run(SHOW_FRAME, number)
    return wait_until(arrived, 30, f"frame {number} with its box")


def test_in_a_video_the_box_covers_the_object_in_each_frame_and_is_gone_with_it(
    connected: dict[str, Connected], window: Browser, tmp_path: Path
) -> None:
    show(window, connected["media"])
    seen: dict[int, tuple[int, int]] = {}
    for frame in sorted(every_region.CAR):
        left, right = seen.get(0, (0, 0))
        expected = left + frame * (right - left - 2) / 2  # it moves by half its width, which has a border here

        def arrived(expected: float = expected) -> tuple[int, int] | None:
            box = box_over_object(window)
            return box if box and (not seen or abs(box[0] - expected) < 4) else None

        seen[frame] = shown_frame(window, connected["media"], frame + 1, arrived)
        (tmp_path / f"frame-{frame}.png").write_bytes(window.picture())

    window.run(SHOW_FRAME, len(every_region.CAR) + 1)
    wait_until(lambda: box_over_object(window) is None, 30, "the box to be gone with the object")


@pytest.mark.parametrize("name", ["image", "text", "media"])
def test_what_an_annotator_submits_unchanged_is_what_was_built(
    connected: dict[str, Connected], window: Browser, name: str
) -> None:
    project = connected[name]
    show(window, project)
    submit = "return document.querySelector('button[name=submit]:not([disabled])') !== null"
    wait_until(lambda: window.run(submit), 30, "the Submit button")
    window.run(SUBMIT)

    def annotations() -> list[Json]:
        found: list[Json] = project.api.call("GET", f"/api/tasks/{project.task}/annotations/")
        return found

    (annotation,) = wait_until(annotations, 30, "the annotation")

    def comparable(result: list[Json]) -> list[Json]:
        without = [{key: item for key, item in region.items() if key != "origin"} for region in result]
        return sorted(
            without, key=lambda region: (region["type"], region.get("from_name", ""), region.get("id", ""))
        )

    assert comparable(annotation["result"]) == comparable(project.built)
