"""Noisy episodes of the scripted expert; every state is labelled with what the expert would do from there.

The noise makes the states diverse, the labels stay clean: the policy learns to come back from where it should not be.
"""

from __future__ import annotations

import numpy as np

from .config import TrainConfig
from .dataset import label
from .tasks import tasks_of
from .world import SLOTS, SPEEDS, Speed, Worlds

NOISE_LEVELS = (0.0, 0.25, 0.5)
NOISE_MEMORY = 0.8
DONE_KEPT = 12
"""States are kept for this many steps after success."""

# Per control step and unit of stretch: chances of a burst of wrong actions, and of a jump or slip.
_BURST_CHANCE = 0.012
_SHAKE_CHANCE = 0.019


def collect(speed: Speed, tasks: np.ndarray, steps: int, every: int, random: np.random.Generator) -> Worlds:
    """States of noisy episodes, one of `every`."""
    worlds = Worlds.reset(speed, tasks, random)
    n = len(worlds)
    level = random.choice(NOISE_LEVELS, n)
    phase = random.integers(0, every, n)
    shaken = random.random(n) < 0.5
    wander = np.zeros((n, 2))
    burst_left, burst = np.zeros(n, int), np.zeros((n, 3))
    done_for = np.zeros(n, int)
    kept: list[Worlds] = []
    for step in range(steps):
        keep = ((step + phase) % every == 0) & (done_for < DONE_KEPT)
        if keep.any():
            kept.append(worlds.take(keep))
        if (done_for >= DONE_KEPT).all():
            break
        action = worlds.expert()
        wander = NOISE_MEMORY * wander + level[:, None] * 0.6 * random.standard_normal((n, 2))
        action[:, :2] += wander

        begins = (burst_left == 0) & (level > 0) & (random.random(n) < _BURST_CHANCE / speed.stretch)
        length = random.integers(4, 14, n) * speed.stretch
        burst_left = np.where(begins, length, np.maximum(burst_left - 1, 0))
        # Half of the bursts also force the gripper open or shut.
        grip = np.where(random.random(n) < 0.5, 0.0, random.choice((-1.0, 1.0), n))
        burst = np.where(begins[:, None], np.column_stack([random.uniform(-1, 1, (n, 2)), grip]), burst)
        wrong = np.column_stack([burst[:, :2], np.where(burst[:, 2] == 0, action[:, 2], burst[:, 2])])
        worlds.step(np.where((burst_left > 0)[:, None], wrong, action))

        done, _, block, plate = worlds.target()
        done_for = np.where(done, done_for + 1, 0)
        pushed = shaken & (random.random(n) < _SHAKE_CHANCE / speed.stretch)
        for row in np.nonzero(pushed)[0]:
            what = random.random()
            if what < 0.25:
                worlds.jump(row, block[row], random)
            elif what < 0.4:
                worlds.push(row, block[row], random)
            elif what < 0.7:
                worlds.jump(row, SLOTS + plate[row], random)
            else:
                worlds.slip(row, random)
    return Worlds.concatenate(kept)


def demonstrations(config: TrainConfig) -> dict[str, np.ndarray]:
    """The labelled states of a run's episodes."""
    speed = SPEEDS[config.speed]
    random = np.random.default_rng(config.seed)
    single = np.concatenate([tasks_of(suite) for suite in ("spatial", "object", "goal")])
    plan = (
        (single, config.single_episodes, 100),
        (tasks_of("long"), config.long_episodes, 280),
        (tasks_of("dynamic"), config.dynamic_episodes, 125),
    )
    every = 6 * speed.stretch
    parts = [
        collect(speed, np.resize(tasks, episodes), units * speed.stretch, every, random)
        for tasks, episodes, units in plan
    ]
    return label(Worlds.concatenate(parts))
