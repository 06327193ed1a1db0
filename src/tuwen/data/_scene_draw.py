"""Scene -> picture, with signed distances to the border of each shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuwen.data._scene_world import COLOURS, SIDE, STROKE, Background, Scene


def render(scene: Scene) -> np.ndarray:
    """The picture of a scene: (64, 64, 3) uint8, anti-aliased."""
    picture_HW3 = _paint_ground(scene.background)
    for t in scene.things:
        reach = 1.25 * t.r + 2
        x0, x1 = max(0, int(t.x - reach)), min(SIDE, int(t.x + reach) + 1)
        y0, y1 = max(0, int(t.y - reach)), min(SIDE, int(t.y + reach) + 1)
        x_W = np.arange(x0, x1, dtype=np.float32) + np.float32(0.5 - t.x)
        y_H1 = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5 - t.y)
        cover_HW1 = coverage(t.shape, t.fill, STROKE[t.size], x_W, y_H1, t.r)[..., None]
        window = picture_HW3[y0:y1, x0:x1]
        window += cover_HW1 * (np.asarray(COLOURS[t.colour], np.float32) - window)
    return (picture_HW3 + 0.5).astype(np.uint8)


def coverage(shape: str, fill: str, stroke: Any, x: np.ndarray, y: np.ndarray, r: Any) -> np.ndarray:
    """Share of each pixel that a shape covers, from the pixel's offset to the shape's middle; broadcasts."""
    distance = signed_distance(shape, x, y, r)
    if fill == "outlined":
        distance = np.maximum(distance, -stroke - distance)
    return np.clip(0.5 - distance, 0.0, 1.0)


def signed_distance(shape: str, x: np.ndarray, y: np.ndarray, r: Any) -> np.ndarray:
    """Pixels to the border of a shape, negative inside (exact near the border only); y grows downwards."""
    ax, ay = np.abs(x), np.abs(y)
    if shape == "circle":
        return np.sqrt(x * x + y * y) - r
    if shape == "square":
        return np.maximum(ax, ay) - 0.92 * r
    if shape == "triangle":
        side = (ax * 1.9 - (y + 0.95 * r) * 1.1) / 2.1954
        return np.maximum(y - 0.95 * r, side)
    if shape == "diamond":
        return (ax + ay - 1.2 * r) * 0.70711
    if shape == "cross":
        return np.minimum(np.maximum(ax - 1.1 * r, ay - 0.42 * r), np.maximum(ax - 0.42 * r, ay - 1.1 * r))
    return _star_distance(x, y, r)


def _star_distance(x: np.ndarray, y: np.ndarray, r: Any) -> np.ndarray:
    """Folds the plane into one tenth of the star, whose border is a line from a tip to a notch."""
    y = y - 0.12 * r  # the middle of the bounding box lies above the middle of the tips
    tenth, tip, notch = np.pi / 5, 1.25, 0.58
    angle = np.abs((np.arctan2(x, -y) + tenth) % (2 * tenth) - tenth)
    length = np.sqrt(x * x + y * y)
    nx, ny = notch * np.sin(tenth), tip - notch * np.cos(tenth)
    return (length * (np.cos(angle) * nx + np.sin(angle) * ny) - tip * r * nx) / np.hypot(nx, ny)


def _paint_ground(ground: Background) -> np.ndarray:
    start, end = np.asarray(ground.start, np.float32), np.asarray(ground.end, np.float32)
    if ground.start == ground.end:
        picture = np.broadcast_to(start, (SIDE, SIDE, 3)).copy()
    else:
        ramp_S = np.linspace(-0.5, 0.5, SIDE, dtype=np.float32)
        along_HW = 0.5 + (np.sin(ground.angle) * ramp_S[:, None] + np.cos(ground.angle) * ramp_S) * 0.7
        picture = start + along_HW[..., None].astype(np.float32) * (end - start)
    if ground.noise:
        rng = np.random.Generator(np.random.PCG64(ground.seed))
        picture += (rng.random((SIDE, SIDE, 1), dtype=np.float32) * 2 - 1) * ground.noise
    return np.minimum(picture, 254.0)
