"""Closed loop in the table-top world, many episodes side by side.

    python -m fastwam_tiny.evaluate CHECKPOINT [--suite long] [--episodes 48] [--condition random] [--speed slow]

For watching a training run; the product's figures come from ``fastwam simulate``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Protocol

import numpy as np
import torch

from .dataset import Statistics, colour_table, frames_of
from .flow import episode_noise, schedule
from .model import FastWam
from .rendering import render
from .tasks import SUITES, TASKS, all_contexts, tasks_of
from .world import HORIZON, SPEEDS, Disturbances, Speed, Worlds, step_limits

REPLAN = 10
NOISE_SEED = 42


class Policy(Protocol):
    def chunk(self, worlds: Worlds) -> np.ndarray:
        """Actions [B, 32, 3] from what is seen now."""


class ExpertPolicy:
    def chunk(self, worlds: Worlds) -> np.ndarray:
        return worlds.expert_rollout(HORIZON)


class ModelPolicy:
    """The model as the public evaluation runs it: fixed starting noise, Euler steps."""

    def __init__(self, model: FastWam, statistics: Statistics, batch: int = 64):
        config = model.config
        self._model, self._statistics, self._batch = model.eval(), statistics, batch
        self._timesteps, self._deltas = schedule(config.steps, config.shift)
        self._noise = episode_noise(NOISE_SEED, config.horizon, config.action_dim)
        self._contexts = torch.from_numpy(all_contexts(config.context_len, config.text_dim))
        self._colours = colour_table()

    def chunk(self, worlds: Worlds) -> np.ndarray:
        parts = [slice(i, i + self._batch) for i in range(0, len(worlds), self._batch)]
        return np.concatenate([self._some(worlds.take(part)) for part in parts])

    @torch.no_grad()
    def _some(self, worlds: Worlds) -> np.ndarray:
        frames = frames_of(torch.from_numpy(render(worlds)), self._colours)
        normalised = self.normalised(frames, worlds.proprio(), worlds.task)
        return self._statistics.denormalise_actions(normalised.numpy())

    @torch.no_grad()
    def normalised(self, frames: torch.Tensor, proprio: np.ndarray, tasks: np.ndarray) -> torch.Tensor:
        """Normalised actions [B, T, a] for frames [B, 3, H, W] in [-1, 1]."""
        model = self._model
        proprio = torch.from_numpy(self._statistics.normalise_proprio(proprio))
        context = model.context(self._contexts[torch.from_numpy(np.asarray(tasks)).long()], proprio)
        seen, _ = model.prefill(model.vae(frames), context)
        x = self._noise.expand(len(frames), -1, -1)
        for timestep, delta in zip(self._timesteps, self._deltas):
            x = x + delta * model.velocity(x, timestep[None], context, seen)
        return x


@dataclass(frozen=True)
class Outcome:
    task: np.ndarray
    success: np.ndarray
    steps: np.ndarray
    """Control steps until success; the limit where there was none."""
    chunks: int

    def by_suite(self) -> dict[str, float]:
        suites = np.array([TASKS[number].suite for number in self.task])
        return {s: round(float(self.success[suites == s].mean()), 3) for s in SUITES if (suites == s).any()}


def run_episodes(
    policy: Policy,
    tasks: np.ndarray,
    *,
    seed: int,
    speed: Speed,
    condition: str = "clean",
    watch: Callable[[Worlds, int], None] | None = None,
) -> Outcome:
    """Plays one episode of each task; `watch` is shown the running tables and their step, before each of them."""
    random = np.random.default_rng(seed)
    worlds = Worlds.reset(speed, tasks, random)
    disturbances = Disturbances(worlds, condition, random)
    limits = step_limits(tasks, condition, speed)
    success = np.zeros(len(tasks), bool)
    steps = limits.copy()
    chunks = 0
    step = 0
    while True:
        running = np.nonzero(~success & (step < limits))[0]
        if not len(running):
            return Outcome(np.asarray(tasks), success, steps, chunks)
        actions = np.zeros((len(tasks), HORIZON, 3))
        actions[running] = policy.chunk(worlds.take(running))
        chunks += len(running)
        for k in range(REPLAN):
            active = ~success & (step < limits)
            if watch is not None and active.any():
                watch(worlds.take(active), step)
            worlds.step(actions[:, k], active)
            disturbances.after_step(worlds, step, active)
            done = active & worlds.success()
            success |= done
            step += 1
            steps[done] = step


def main() -> None:
    from .checkpoint import load_checkpoint

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--suite", choices=SUITES, action="append", help="may be repeated; default all")
    parser.add_argument("--episodes", type=int, default=48, help="per suite")
    parser.add_argument("--condition", choices=("clean", "random"), default="clean")
    parser.add_argument("--speed", choices=tuple(SPEEDS), default="slow")
    parser.add_argument("--seed", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tasks = np.concatenate([np.resize(tasks_of(suite), args.episodes) for suite in args.suite or SUITES])
    policy = ModelPolicy(*load_checkpoint(args.checkpoint))
    result = run_episodes(policy, tasks, seed=args.seed, speed=SPEEDS[args.speed], condition=args.condition)
    report = {
        "success": round(float(result.success.mean()), 4),
        "by_suite": result.by_suite(),
        "episodes": len(tasks),
        "chunks_per_episode": round(result.chunks / len(tasks), 2),
        "steps_of_successes": round(float(result.steps[result.success].mean()), 1) if result.success.any() else None,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
