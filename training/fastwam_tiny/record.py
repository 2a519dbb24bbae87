"""Records closed-loop episodes: what the policy saw, and the chunks that PyTorch computed from it.

    python -m fastwam_tiny.record CHECKPOINT OUT.safetensors [--task 1 --task 11 ...] [--chunks 20]

Other engines are checked against such a file, and the bundled recording is made of one. Its tensors, for W episodes
of C chunks: ``images`` [W, C, 64, 128, 3] uint8, ``proprio`` [W, C, 3] and ``action`` [W, C, 32, 3] in physical units,
``noise`` [32, 3], ``task`` and ``success`` [W] int64. An episode goes on after its success.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from .checkpoint import load_checkpoint
from .evaluate import NOISE_SEED, REPLAN, ModelPolicy
from .flow import episode_noise
from .rendering import PALETTE, render
from .tasks import TASKS
from .world import SPEEDS, Disturbances, Worlds

DEFAULT_TASKS = (1, 11, 12, 18)
"""A relation between two blocks, a choice of block and plate, three blocks one after another, a plate that moves."""


def record(policy: ModelPolicy, tasks: np.ndarray, *, seed: int, chunks: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    worlds = Worlds.reset(SPEEDS["slow"], tasks, random)
    disturbances = Disturbances(worlds, "clean", random)
    everyone = np.ones(len(tasks), bool)
    success = np.zeros(len(tasks), bool)
    images, proprio, actions = [], [], []
    for chunk in range(chunks):
        images.append(PALETTE[render(worlds)])
        proprio.append(worlds.proprio().astype(np.float32))
        actions.append(policy.chunk(worlds).astype(np.float32))
        for k in range(REPLAN):
            worlds.step(actions[-1][:, k].astype(np.float64), everyone)
            disturbances.after_step(worlds, chunk * REPLAN + k, everyone)
            success |= worlds.success()
    return {
        "images": np.stack(images, 1).astype(np.uint8),
        "proprio": np.stack(proprio, 1),
        "action": np.stack(actions, 1),
        "task": np.asarray(tasks, np.int64),
        "success": success.astype(np.int64),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--task", type=int, action="append", choices=range(len(TASKS)), metavar="N", help="by number")
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=30_000)
    args = parser.parse_args()
    model, statistics = load_checkpoint(args.checkpoint)
    config = model.config
    tasks = np.asarray(args.task or DEFAULT_TASKS)
    tensors = record(ModelPolicy(model, statistics), tasks, seed=args.seed, chunks=args.chunks)
    tensors["noise"] = episode_noise(NOISE_SEED, config.horizon, config.action_dim)[0].numpy()
    save_file(tensors, args.out)
    for number, succeeded in zip(tasks, tensors["success"]):
        print(f"{'solved' if succeeded else 'not solved in time'}: {TASKS[number].instruction}")


if __name__ == "__main__":
    main()
