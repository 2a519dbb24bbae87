"""Computes chunks in PyTorch for `scripts/measure-chunk.mjs`, in turn with the engine and from the same numbers.

    python -m fastwam_tiny.peer CHECKPOINT CONFIG [--compile] [--original SRC] [--threads 1]

CHECKPOINT is a folder with ``fastwam.pt`` and ``vae_encoder.pth``, CONFIG the file with its sizes. Each line read is an
object with ``image`` (base64 of uint8 [H, W, 3]), ``proprio`` [p] as the network takes it and ``context`` (base64 of
float32 [C, text_dim]); the answer is one line with ``milliseconds`` and the normalised ``actions`` [T * a]. The first
line also pays for what happens once, compilation above all.

Without ``--original`` the model is this folder's definition, which embeds the text once for a chunk; the original does
so in every step. SRC is the ``src`` folder of a checkout of the original (github yuantianyuan01/FastWAM).
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import logging
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .config import LATENT_CHANNELS, PATCH, ModelConfig
from .evaluate import NOISE_SEED
from .flow import episode_noise, schedule
from .model import FastWam

Infer = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""frame [1, 3, H, W] in [-1, 1], context [1, C, text_dim], proprio [1, p] or none, to normalised actions [T, a]."""


def own(config: ModelConfig, checkpoint: Path, compiled: bool) -> Infer:
    """This folder's definition of the model."""
    model = FastWam(config)
    load_weights(checkpoint, model.mot, model.proprio_encoder, model.vae)
    model = model.float().eval()
    wrap = torch.compile if compiled else lambda function: function
    encode, prefill, stack = wrap(model.vae), wrap(model.prefill), wrap(model.stack)
    timesteps, deltas = schedule(config.steps, config.shift)

    def infer(frame: Tensor, text: Tensor, proprio: Tensor | None) -> Tensor:
        context = model.context(text, proprio)
        seen, _ = prefill(encode(frame), context)
        embedded = model.embed_context(context)
        x = episode_noise(NOISE_SEED, config.horizon, config.action_dim)
        for timestep, delta in zip(timesteps, deltas):
            h = stack(model.action.action_encoder(x), timestep[None], embedded, seen)
            x = x + delta * model.action.head(h)
        return x[0]

    return infer


def original(source: Path, config: ModelConfig, checkpoint: Path, compiled: bool) -> Infer:
    """`FastWAM.infer_action` of the original, as its public evaluation calls it."""
    parts = import_original(source)
    shared = {
        "text_dim": config.text_dim,
        "freq_dim": config.freq_dim,
        "eps": config.eps,
        "num_heads": config.heads,
        "attn_head_dim": config.head_dim,
        "num_layers": config.layers,
    }
    video = parts["wan_video_dit"].WanVideoDiT(
        hidden_dim=config.video_dim,
        in_dim=LATENT_CHANNELS,
        out_dim=LATENT_CHANNELS,
        ffn_dim=config.video_ffn,
        patch_size=(1, PATCH, PATCH),
        has_image_input=False,
        seperated_timestep=True,
        fuse_vae_embedding_in_latents=True,
        video_attention_mask_mode="first_frame_causal",
        **shared,
    )
    action = parts["action_dit"].ActionDiT(
        hidden_dim=config.action_hidden, action_dim=config.action_dim, ffn_dim=config.action_ffn, **shared
    )
    mixture = parts["mot"].MoT(mixtures={"video": video, "action": action}, mot_checkpoint_mixed_attn=False)
    model = parts["fastwam"].FastWAM(
        video_expert=video,
        action_expert=action,
        mot=mixture,
        vae=parts["wan_video_vae"].WanVideoVAE38(z_dim=LATENT_CHANNELS, dim=config.vae_dim),
        text_dim=config.text_dim,
        proprio_dim=config.proprio_dim,
        action_infer_shift=config.shift,
    )
    load_weights(checkpoint, model.mot, getattr(model, "proprio_encoder", None), model.vae.model)
    model = model.float().eval()
    if compiled:
        model.mot.prefill_video_cache = torch.compile(model.mot.prefill_video_cache)
        model._predict_action_noise_with_cache = torch.compile(model._predict_action_noise_with_cache)

    def infer(frame: Tensor, text: Tensor, proprio: Tensor | None) -> Tensor:
        result = model.infer_action(
            prompt=None,
            input_image=frame,
            action_horizon=config.horizon,
            proprio=proprio,
            context=text,
            context_mask=torch.ones(text.shape[:2], dtype=torch.bool),
            num_inference_steps=config.steps,
            seed=NOISE_SEED,
            rand_device="cpu",
        )
        return result["action"]

    return infer


def import_original(source: Path) -> dict[str, types.ModuleType]:
    """
    The original's model files alone: its packages' own `__init__` files, and the loader of pretrained parts, import
    what inference does not need (video files, hubs, configuration).
    """

    def package(name: str) -> None:
        module = sys.modules[name] = types.ModuleType(name)
        module.__path__ = [str(source.joinpath(*name.split(".")))]

    def without(name: str, **contents: object) -> None:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(contents)

    root = "fastwam.models.wan22"
    for name in ("fastwam", "fastwam.models", root, f"{root}.helpers", "fastwam.utils"):
        package(name)
    without("fastwam.utils.logging_config", get_logger=logging.getLogger)
    without(f"{root}.helpers.loader", load_wan22_ti2v_5b_components=None)
    names = ("wan_video_dit", "action_dit", "wan_video_vae", "mot", "fastwam")
    return {name: importlib.import_module(f"{root}.{name}") for name in names}


def load_weights(checkpoint: Path, mixture: torch.nn.Module, proprio: torch.nn.Module | None, vae: torch.nn.Module):
    """Every weight of the checkpoint finds its place, and every parameter that a chunk reads has one."""
    payload = torch.load(checkpoint / "fastwam.pt", map_location="cpu")
    # The video head only speaks in training, and some checkpoints leave it out.
    check_keys(mixture.load_state_dict(payload["mot"], strict=False), ("mixtures.video.head.",))
    if proprio is not None:
        proprio.load_state_dict(payload["proprio_encoder"])
    # One frame never uses the temporal convolutions, and an encoder's file has no decoder.
    weights = torch.load(checkpoint / "vae_encoder.pth", map_location="cpu")
    check_keys(vae.load_state_dict(weights, strict=False), ("encoder.downsamples", "decoder.", "conv2."))


def check_keys(loaded: torch.nn.modules.module._IncompatibleKeys, optional: tuple[str, ...]) -> None:
    missing = [key for key in loaded.missing_keys if not key.startswith(optional)]
    if missing or loaded.unexpected_keys:
        raise ValueError(f"checkpoint: missing {missing[:3]}, unexpected {loaded.unexpected_keys[:3]}")


def bytes_of(text: str, dtype: type, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("--compile", action="store_true", help="by torch.compile")
    parser.add_argument("--original", type=Path, metavar="SRC", help="the original's code")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)
    config = ModelConfig.from_json(json.loads(args.config.read_text()))
    build = own if args.original is None else lambda *rest: original(args.original, *rest)
    infer = build(config, args.checkpoint, args.compile)
    for line in sys.stdin:
        given = json.loads(line)
        image = bytes_of(given["image"], np.uint8, (config.height, config.width, 3))
        text = bytes_of(given["context"], np.float32, (1, -1, config.text_dim))
        proprio = torch.tensor([given["proprio"]], dtype=torch.float32) if config.proprio_dim else None
        started = time.perf_counter()
        with torch.inference_mode():
            actions = infer(image.permute(2, 0, 1)[None].float() * (2 / 255) - 1, text, proprio)
        milliseconds = (time.perf_counter() - started) * 1e3
        print(json.dumps({"milliseconds": milliseconds, "actions": actions.flatten().tolist()}), flush=True)


if __name__ == "__main__":
    main()
