"""Pictures of the table-top as palette indices: a fixed camera above the table, and one that moves with the gripper.

A pixel shows what its centre hits. Comparisons are made in float32, as in ``src/sim/renderer.ts``: at exact pixel
centres that decides ties.
"""

import numpy as np

from .world import BLOCK_HALF_SIDE, PLATE_RADIUS, SLOTS, Worlds

SIZE = 64
PALETTE = np.array(
    [
        *((214, 204, 182), (92, 84, 76)),  # table, outside
        *((245, 245, 245), (128, 128, 132), (150, 84, 196)),  # plates
        *((222, 44, 44), (44, 168, 64), (44, 84, 222), (238, 200, 40)),  # blocks
        (12, 12, 12),  # gripper
        (180, 150, 110),  # trail of what moves by itself
    ],
    np.uint8,
)
_FIRST_PLATE, _FIRST_BLOCK, _GRIPPER, _TRAIL = 2, 5, 9, 10
_FINGER = (0.0125, 0.04)
_TRAIL_HALF_SIDE = 0.02


class _View:
    """One camera over B tables: pixel centres [B, 64] of columns and rows, and the picture so far [B, 64, 64]."""

    def __init__(self, centre: np.ndarray, field_of_view: float):
        offsets = (np.arange(SIZE) + 0.5 - SIZE / 2)[None] * (field_of_view / SIZE)
        self.x = (centre[:, :1] + offsets).astype(np.float32)
        self.y = (centre[:, 1:] + offsets).astype(np.float32)
        on_table = ((self.x >= 0) & (self.x < 1))[:, None, :] & ((self.y >= 0) & (self.y < 1))[:, :, None]
        self.image = np.where(on_table, 0, 1).astype(np.uint8)

    def rectangle(self, rows: np.ndarray, at: np.ndarray, half: tuple[float, float], colour: np.ndarray | int) -> None:
        """Paints rectangles around `at` [len(rows), xy] into these rows."""
        if not len(rows):
            return
        at = at.astype(np.float32)
        across = np.abs(self.x[rows] - at[:, :1]) <= np.float32(half[0])
        down = np.abs(self.y[rows] - at[:, 1:]) <= np.float32(half[1])
        inside = across[:, None, :] & down[:, :, None]
        colour = np.broadcast_to(np.asarray(colour, np.uint8), len(rows))[:, None, None]
        self.image[rows] = np.where(inside, colour, self.image[rows])

    def disc(self, rows: np.ndarray, at: np.ndarray, colour: np.ndarray) -> None:
        if not len(rows):
            return
        at = at.astype(np.float32)
        dx, dy = self.x[rows] - at[:, :1], self.y[rows] - at[:, 1:]
        inside = (dx * dx)[:, None, :] + (dy * dy)[:, :, None] < np.float32(PLATE_RADIUS * PLATE_RADIUS)
        self.image[rows] = np.where(inside, colour.astype(np.uint8)[:, None, None], self.image[rows])


def _paint(worlds: Worlds, view: _View) -> np.ndarray:
    # A moving object leaves a mark behind it, so that one picture tells where it is going.
    for slot in (*range(SLOTS, 2 * SLOTS), *range(SLOTS)):
        rows = worlds.rows[worlds.remaining[:, slot] > 0]
        velocity = worlds.velocity[rows, slot]
        reach = (PLATE_RADIUS if slot >= SLOTS else BLOCK_HALF_SIDE) + _TRAIL_HALF_SIDE
        pace = np.maximum(np.sqrt((velocity * velocity).sum(-1, keepdims=True)), 1e-12)
        at = worlds.objects[rows, slot] - velocity * (reach / pace)
        view.rectangle(rows, at, (_TRAIL_HALF_SIDE, _TRAIL_HALF_SIDE), _TRAIL)
    for slot in range(SLOTS):
        rows = worlds.rows[worlds.plate_colours[:, slot] >= 0]
        view.disc(rows, worlds.plates[rows, slot], _FIRST_PLATE + worlds.plate_colours[rows, slot])
    half = (BLOCK_HALF_SIDE, BLOCK_HALF_SIDE)
    for slot in range(SLOTS):
        rows = worlds.rows[(worlds.block_colours[:, slot] >= 0) & (worlds.held != slot)]
        view.rectangle(rows, worlds.blocks[rows, slot], half, _FIRST_BLOCK + worlds.block_colours[rows, slot])
    rows = worlds.rows[worlds.held >= 0]
    held = worlds.held[rows]
    view.rectangle(rows, worlds.blocks[rows, held], half, _FIRST_BLOCK + worlds.block_colours[rows, held])
    offset = 0.03 + 0.035 * worlds.opening
    for side in (-1, 1):
        at = np.stack([worlds.gripper[:, 0] + side * offset, worlds.gripper[:, 1]], 1)
        view.rectangle(worlds.rows, at, _FINGER, _GRIPPER)
    return view.image


def render(worlds: Worlds) -> np.ndarray:
    """Palette indices [B, 64, 128] uint8: fixed camera left, wrist camera right."""
    front = _paint(worlds, _View(np.full((len(worlds), 2), 0.5), 1.0))
    wrist = _paint(worlds, _View(worlds.gripper, 0.4))
    return np.concatenate([front, wrist], 2)
