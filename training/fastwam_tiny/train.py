"""Trains from nothing to a checkpoint, on a CPU.

    python -m fastwam_tiny.train --out RUN [--states FILE_OR_FOLDER ...] [--iterations N] [--threads N]

Stops and goes on: started again with the same `--out`, it continues from the last saved state and ends with the same
weights as an uninterrupted run (on the same machine with the same number of threads). `RUN/checkpoint` always holds
the latest averaged weights in the original's layout.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpoint import save_checkpoint
from .config import ModelConfig, TrainConfig
from .dataset import (
    OBJECTS,
    LabelledStates,
    Statistics,
    colour_table,
    frames_of,
    label,
    read_states,
    state_files,
    write_states,
)
from .demonstrations import demonstrations
from .evaluate import ModelPolicy, run_episodes
from .flow import TIMESTEPS, LossWeight, shifted
from .model import FastWam
from .tasks import SUITES, TASKS, all_contexts, tasks_of
from .world import SPEEDS, Worlds

EVALUATION_SEED = 7
OWN_STATES_SEED = 500


class AuxiliaryHeads(nn.Module):
    """Say from the last video tokens where things are; in training only. Without them the policy hardly learns which
    block the instruction means."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.video_tokens * config.video_dim
        self.target = nn.Linear(width, 4)
        self.objects = nn.Linear(width, 3 * OBJECTS)

    def losses(self, tokens: Tensor, batch: LabelledStates, rows: Tensor) -> Tensor:
        tokens = tokens.flatten(1)
        counts = batch.target_counts[rows]
        target = F.smooth_l1_loss(self.target(tokens), batch.target[rows], reduction="none", beta=0.2)
        guess = self.objects(tokens).unflatten(1, (OBJECTS, 3))
        truth = batch.objects[rows]
        present = truth[..., :1]
        offsets = F.smooth_l1_loss(guess[..., 1:], truth[..., 1:], reduction="none", beta=0.2)
        return (
            (target * counts).sum() / counts.sum().clamp_min(1)
            + (offsets * present).sum() / present.sum() / 2
            + 0.2 * F.binary_cross_entropy_with_logits(guess[..., 0], truth[..., 0])
        )


class Batches:
    """Draws states by suite; a share of them from the policy's own states, once there are any."""

    def __init__(self, config: TrainConfig, states: LabelledStates):
        self._config = config
        self._groups = self._by_suite(states.task)
        self._own: list[Tensor] = []

    @staticmethod
    def _by_suite(task: Tensor, first: int = 0) -> list[Tensor]:
        suites = np.array([TASKS[number].suite for number in task.tolist()])
        groups = (~np.isin(suites, ("long", "dynamic")), suites == "long", suites == "dynamic")
        return [first + torch.from_numpy(np.nonzero(group)[0]) for group in groups]

    def add_own(self, task: Tensor, first: int) -> None:
        new = self._by_suite(task, first)
        self._own = [torch.cat(pair) for pair in zip(self._own, new)] if self._own else new

    def rows(self, random: torch.Generator) -> Tensor:
        config = self._config
        long = round(config.frames * config.share_long) if len(self._groups[1]) else 0
        dynamic = round(config.frames * config.share_dynamic) if len(self._groups[2]) else 0
        parts = []
        for group, count in enumerate((config.frames - long - dynamic, long, dynamic)):
            own = round(count * config.share_own) if self._own and len(self._own[group]) else 0
            parts.append(self._pick(self._groups[group], count - own, random))
            if own:
                parts.append(self._pick(self._own[group], own, random))
        return torch.cat(parts)

    @staticmethod
    def _pick(rows: Tensor, count: int, random: torch.Generator) -> Tensor:
        return rows[torch.randint(len(rows), (count,), generator=random)] if count else rows[:0]


class Trainer:
    def __init__(self, config: TrainConfig, sizes: ModelConfig, out: Path, sources: list[Path]):
        self.config, self.sizes, self.out = config, sizes, out
        torch.manual_seed(config.seed)
        self.model = FastWam(sizes)
        self.auxiliary = AuxiliaryHeads(sizes)
        # The temporal convolutions of the VAE and the video head have no part in this model's loss.
        self.trained = nn.ParameterDict(
            {
                name.replace(".", "/"): parameter
                for name, parameter in [*self.model.named_parameters(), *self.auxiliary.named_parameters(prefix="aux")]
                if ".time_conv." not in name and not name.startswith("mot.mixtures.video.head.")
            }
        )
        self.parameters = list(self.trained.values())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.random = torch.Generator().manual_seed(config.seed)
        self.weight = LossWeight(sizes.shift, config.weight_floor)
        self.contexts = torch.from_numpy(all_contexts(sizes.context_len, sizes.text_dim))
        self.colours = colour_table()
        self.iteration = 0
        self.seconds = 0.0
        self.history: list[dict] = []
        self._load_states(sources)

    # -- states ------------------------------------------------------------------------------------------------------

    def _load_states(self, sources: list[Path]) -> None:
        if not sources:
            path = self.out / "states.safetensors"
            if not path.exists():
                started = time.monotonic()
                write_states(path, demonstrations(self.config), {"seed": str(self.config.seed), "speed": self.config.speed})
                log(f"demonstrations written to {path} in {time.monotonic() - started:.0f} s")
            sources = [path]
        read = [read_states(path) for source in sources for path in state_files(source)]
        states = {name: np.concatenate([part[name] for part in read]) for name in read[0] if name != "palette"}
        self.statistics = Statistics.of(states["actions"], states["proprio"])
        self.states = LabelledStates(states, self.statistics)
        self.batches = Batches(self.config, self.states)
        self.own_files = 0
        log(f"{len(self.states)} states from {', '.join(path.name for path in sources)}")

    def _collect_own_states(self) -> None:
        """Plays the averaged policy in both conditions and labels what it meets with what the expert would do."""
        config = self.config
        path = self.out / f"own_{self.own_files}.safetensors"
        if not path.exists():
            kept: list[Worlds] = []
            started = time.monotonic()
            random = np.random.default_rng((config.seed, OWN_STATES_SEED, self.own_files))

            def watch(worlds: Worlds, step: int) -> None:
                keep = random.random(len(worlds)) < 1 / 12
                if keep.any():
                    kept.append(worlds.take(keep))

            rates = []
            for half, condition in enumerate(("clean", "random")):
                tasks = np.resize(np.arange(len(TASKS)), config.own_episodes // 2)
                seed = config.seed * 1000 + OWN_STATES_SEED + 2 * self.own_files + half
                with self.averaged():
                    result = run_episodes(
                        ModelPolicy(self.model, self.statistics),
                        tasks,
                        seed=seed,
                        speed=SPEEDS[config.speed],
                        condition=condition,
                        watch=watch,
                    )
                rates.append(f"{condition} {result.success.mean():.3f}")
            write_states(path, label(Worlds.concatenate(kept)), {"policy_iteration": str(self.iteration)})
            log(f"own states of {', '.join(rates)} in {time.monotonic() - started:.0f} s")
        self._add_own_states()

    def _add_own_states(self) -> None:
        states = read_states(self.out / f"own_{self.own_files}.safetensors")
        added = LabelledStates({k: v for k, v in states.items() if k != "palette"}, self.statistics)
        self.batches.add_own(added.task, len(self.states))
        self.states = self.states.extended(added)
        self.own_files += 1
        log(f"{len(added)} own states added")

    # -- one iteration -----------------------------------------------------------------------------------------------

    def _rate(self) -> float:
        config = self.config
        progress = self.iteration / config.iterations
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))
        warm = min(1.0, (self.iteration + 1) / config.warmup)
        return config.learning_rate * warm * (config.final_rate + (1 - config.final_rate) * cosine)

    def loss(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(action loss, auxiliary loss) of a batch."""
        model, config, states = self.model, self.config, self.states
        frames = frames_of(states.frames[rows], self.colours)
        context = model.context(self.contexts[states.task[rows]], states.proprio[rows])
        seen, tokens = model.prefill(model.vae(frames), context)

        actions = states.actions[rows].repeat(config.draws, 1, 1)
        sigma = shifted(torch.rand(len(actions), generator=self.random), self.sizes.shift)
        noise = torch.randn(actions.shape, generator=self.random)
        mix = sigma[:, None, None]
        velocity = model.velocity((1 - mix) * actions + mix * noise, sigma * TIMESTEPS, context, seen)
        error = (velocity - (noise - actions)).square().mean((1, 2))
        return (error * self.weight(sigma * TIMESTEPS)).mean(), self.auxiliary.losses(tokens, states, rows)

    def iterate(self) -> tuple[float, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        action, auxiliary = self.loss(self.batches.rows(self.random))
        self.optimizer.zero_grad(set_to_none=True)
        (action + auxiliary).backward()
        nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        self.optimizer.step()
        self.iteration += 1
        # The average forgets the first steps faster than its decay alone would.
        keep = min(self.config.average, (self.iteration + 1) / (self.iteration + 20))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - keep)
        return action.item(), auxiliary.item()

    # -- the run -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        config = self.config
        sums = np.zeros(2)
        since = time.monotonic()
        while self.iteration < config.iterations:
            if self.own_files < self._own_files_due():
                self._collect_own_states()
            sums += self.iterate()
            if self.iteration % config.save_every == 0:
                now = time.monotonic()
                self.seconds += now - since
                action, auxiliary = sums / config.save_every
                log(
                    f"iteration {self.iteration}/{config.iterations} action {action:.4f} auxiliary {auxiliary:.4f} "
                    f"rate {self._rate():.1e} {(now - since) / config.save_every:.2f} s each, {self.seconds:.0f} s in all"
                )
                sums[:] = 0
                self.save()
                since = time.monotonic()
            if self.iteration % config.evaluate_every == 0:
                self.evaluate(config.evaluate_episodes)
                since = time.monotonic()
        self.evaluate(2 * config.evaluate_episodes, condition="random")
        self.evaluate(4 * config.evaluate_episodes)
        self.save()
        (self.out / "done").touch()

    def _own_files_due(self) -> int:
        return sum(self.iteration >= share * self.config.iterations for share in self.config.own_states_at)

    def averaged(self) -> _Swapped:
        return _Swapped(self.parameters, self.average, self.model)

    def evaluate(self, episodes: int, condition: str = "clean") -> None:
        started = time.monotonic()
        tasks = np.concatenate([np.resize(tasks_of(suite), math.ceil(episodes / len(SUITES))) for suite in SUITES])
        with self.averaged():
            policy = ModelPolicy(self.model, self.statistics)
            speed = SPEEDS[self.config.speed]
            result = run_episodes(policy, tasks, seed=EVALUATION_SEED, speed=speed, condition=condition)
        entry = {"iteration": self.iteration, "condition": condition, "episodes": len(tasks), **result.by_suite()}
        self.history.append(entry)
        log(f"closed loop {json.dumps(entry)} in {time.monotonic() - started:.0f} s")

    def about(self) -> dict:
        return {
            "train": self.config.to_json(),
            "iteration": self.iteration,
            "seconds": round(self.seconds),
            "states": len(self.states),
            "closed_loop": self.history,
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            "machine": {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()},
        }

    def save(self) -> None:
        with self.averaged():
            save_checkpoint(self.out / "checkpoint", self.model, self.statistics, self.iteration, self.about())
        state = {
            "iteration": self.iteration,
            "seconds": self.seconds,
            "own_files": self.own_files,
            "history": self.history,
            "config": self.config.to_json(),
            "model": self.model.state_dict(),
            "auxiliary": self.auxiliary.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "random": self.random.get_state(),
        }
        unfinished = self.out / "state.part"
        torch.save(state, unfinished)
        unfinished.rename(self.out / "state.pt")

    def resume(self) -> None:
        path = self.out / "state.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location="cpu")
        # Through JSON, because tuples come back from it as lists.
        if json.loads(json.dumps(state["config"])) != json.loads(json.dumps(self.config.to_json())):
            raise SystemExit(f"{path} belongs to a run with other settings; choose another --out, or the same settings")
        self.model.load_state_dict(state["model"])
        self.auxiliary.load_state_dict(state["auxiliary"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"])
        self.iteration, self.seconds, self.history = state["iteration"], state["seconds"], state["history"]
        while self.own_files < state["own_files"]:
            self._add_own_states()
        log(f"going on from iteration {self.iteration}")


class _Swapped:
    """For a while, the model has the averaged weights."""

    def __init__(self, parameters: list[Tensor], average: list[Tensor], model: nn.Module):
        self._parameters, self._average, self._model = parameters, average, model

    def _swap(self) -> None:
        with torch.no_grad():
            for parameter, average in zip(self._parameters, self._average):
                current = parameter.clone()
                parameter.copy_(average)
                average.copy_(current)

    def __enter__(self) -> None:
        self._swap()
        self._model.eval()

    def __exit__(self, *_: object) -> None:
        self._swap()
        self._model.train()


def log(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--states", type=Path, nargs="*", default=[], help="labelled states: files, or folders of `fastwam demos`; default: makes its own")
    parser.add_argument("--seed", type=int, default=TrainConfig.seed)
    parser.add_argument("--speed", choices=tuple(SPEEDS), default=TrainConfig.speed)
    parser.add_argument("--iterations", type=int, default=TrainConfig.iterations)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="other settings of TrainConfig")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = TrainConfig(seed=args.seed, speed=args.speed, iterations=args.iterations)
    for setting in args.set:
        name, _, value = setting.partition("=")
        if not isinstance(getattr(config, name, None), (int, float)):
            parser.error(f"--set {setting}: no number of that name in TrainConfig")
        config = replace(config, **{name: type(getattr(config, name))(value)})
    args.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, ModelConfig(), args.out, args.states)
    trainer.resume()
    trainer.model.train()
    count = sum(parameter.numel() for parameter in trainer.model.mot.parameters())
    log(f"{count} parameters in the mixture, {sum(p.numel() for p in trainer.model.vae.parameters())} in the VAE encoder")
    trainer.run()


if __name__ == "__main__":
    main()
