"""Checkpoints in the original's layout: what is written here, the original and ``fastwam export`` read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch

from .config import LATENT_CHANNELS, LATENT_STRIDE, PATCH, ModelConfig
from .dataset import Statistics
from .model import FastWam
from .tasks import TASKS, text_context
from .world import CONTROL_RATE

PROMPT = "A video recorded from a robot's point of view executing the following instruction: {task}"
REPLAN_STEPS = 10


def _vae_state(model: FastWam) -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous().clone() for name, tensor in model.vae.state_dict().items()}


def save_checkpoint(folder: Path, model: FastWam, statistics: Statistics, step: int, about: dict) -> None:
    """Writes weights, statistics, text contexts, sizes and the instructions; `about` records how it was made."""
    folder.mkdir(parents=True, exist_ok=True)
    payload = {
        "mot": {name: tensor.contiguous().clone() for name, tensor in model.mot.state_dict().items()},
        "step": step,
        "torch_dtype": "torch.float32",
    }
    if model.proprio_encoder is not None:
        payload["proprio_encoder"] = {k: v.clone() for k, v in model.proprio_encoder.state_dict().items()}
    torch.save(payload, folder / "fastwam.pt")
    torch.save(_vae_state(model), folder / "vae_encoder.pth")

    config = model.config
    sizes = asdict(config) | {
        "patch_size": [1, PATCH, PATCH],
        "latent_channels": LATENT_CHANNELS,
        "vae_spatial_factor": LATENT_STRIDE,
        "normalisation": "z-score",
        "replan_steps": REPLAN_STEPS,
        "control_rate": CONTROL_RATE,
        "prompt_template": PROMPT,
    }
    _write_json(folder / "config.json", sizes)
    _write_json(folder / "dataset_stats.json", statistics.to_json())
    _write_json(folder / "training.json", about)
    (folder / "instructions.txt").write_text("\n".join(task.instruction for task in TASKS) + "\n")

    texts = folder / "text_embeds"
    texts.mkdir(exist_ok=True)
    for task in TASKS:
        context, mask = text_context(task.instruction, config.context_len, config.text_dim)
        name = hashlib.sha256(PROMPT.format(task=task.instruction).encode()).hexdigest()
        torch.save(
            {"context": torch.from_numpy(context), "mask": torch.from_numpy(mask)},
            texts / f"{name}.t5_len{config.context_len}.wan22ti2v5b.pt",
        )


def load_checkpoint(folder: Path) -> tuple[FastWam, Statistics]:
    """Model and statistics of a checkpoint folder."""
    model = FastWam(ModelConfig.from_json(json.loads((folder / "config.json").read_text())))
    payload = torch.load(folder / "fastwam.pt", map_location="cpu")
    model.mot.load_state_dict(payload["mot"])
    if model.proprio_encoder is not None:
        model.proprio_encoder.load_state_dict(payload["proprio_encoder"])
    vae = model.vae.load_state_dict(torch.load(folder / "vae_encoder.pth", map_location="cpu"), strict=False)
    # One frame never uses the temporal convolutions, and some files leave them out.
    missing = [name for name in vae.missing_keys if ".time_conv." not in name]
    if missing or vae.unexpected_keys:
        raise ValueError(f"{folder}/vae_encoder.pth: missing {missing[:3]}, unexpected {vae.unexpected_keys[:3]}")
    return model.eval(), Statistics.from_json(json.loads((folder / "dataset_stats.json").read_text()))


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
