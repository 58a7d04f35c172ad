"""Sample files are real ones, and a number tells one from the next."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import cv2
from PIL import Image

from label_studio_ml.stage import sample_files


def test_images_sounds_and_videos_are_real_and_differ(tmp_path: Path) -> None:
    for number in (0, 1):
        with Image.open(io.BytesIO(sample_files.image(number))) as picture:
            assert (picture.format, picture.size) == ("PNG", (sample_files.WIDTH, sample_files.HEIGHT))
        with wave.open(io.BytesIO(sample_files.sound(number))) as sound:
            assert sound.getnframes() / sound.getframerate() == sample_files.SECONDS
            assert any(sound.readframes(2000)), "silence"
        path = tmp_path / f"{number}.avi"
        path.write_bytes(sample_files.video(number))
        video = cv2.VideoCapture(str(path))
        assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (25, 25)
        frames = [video.read() for _ in range(sample_files.FRAMES)]
        assert all(read for read, _ in frames)
        assert frames[0][1].shape == (sample_files.HEIGHT, sample_files.WIDTH, 3)
        assert (frames[0][1] != frames[-1][1]).any(), "nothing moves"
        video.release()
    for make in (sample_files.image, sample_files.sound, sample_files.video):
        assert make(0) != make(1)
        assert make(0) == make(0)
