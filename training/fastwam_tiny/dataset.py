"""Labelled states of the table-top: how they are stored, and what the network is fed.

One safetensors file, n states:

====================  ==============  =================================================================================
``frames``            u8 [n, 64, 128]  both cameras as palette indices, fixed left, wrist right
``palette``           u8 [c, 3]        their RGB
``proprio``           f32 [n, 3]       gripper x, y, opening
``actions``           f32 [n, 32, 3]   label: what the expert does from this state if nothing disturbs it
``task``              i32 [n]          number of the task
``held``              i32 [n]          block slot in the gripper, -1 if none
``target``            i32 [n, 2]       block and plate slot of the running sub-task, -1 when all are placed
``blocks``            f32 [n, 3, 2]    positions
``block_colours``     i32 [n, 3]       -1 for an empty slot
``plates``            f32 [n, 3, 2]
``plate_colours``     i32 [n, 3]
====================  ==============  =================================================================================

``fastwam demos`` writes a folder of such files with a ``demos.json`` that lists them;
:mod:`fastwam_tiny.demonstrations` makes the states of one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor

from .rendering import PALETTE, render
from .tasks import BLOCK_COLOURS, PLATE_COLOURS, TASKS
from .world import HORIZON, SLOTS, Worlds

CLAMP = 5.0
"""Normalised actions and proprioception are kept within this."""


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of actions and proprioception."""

    action_mean: np.ndarray
    action_std: np.ndarray
    proprio_mean: np.ndarray
    proprio_std: np.ndarray

    @classmethod
    def of(cls, actions: np.ndarray, proprio: np.ndarray) -> Statistics:
        flat = actions.reshape(-1, actions.shape[-1]).astype(np.float64)
        wide = proprio.astype(np.float64)

        def spread(values: np.ndarray) -> np.ndarray:
            std = values.std(0)
            return np.where(std > 0, std, 1.0)  # what never changes is left as it is

        values = flat.mean(0), spread(flat), wide.mean(0), spread(wide)
        return cls(*(value.astype(np.float32) for value in values))

    def to_json(self) -> dict:
        def both(mean: np.ndarray, std: np.ndarray) -> dict:
            return {"default": {"global_mean": mean.tolist(), "global_std": std.tolist()}}

        return {
            "state": both(self.proprio_mean, self.proprio_std),
            "action": both(self.action_mean, self.action_std),
        }

    @classmethod
    def from_json(cls, value: dict) -> Statistics:
        action, state = value["action"]["default"], value["state"]["default"]
        parts = (action["global_mean"], action["global_std"], state["global_mean"], state["global_std"])
        return cls(*(np.asarray(part, np.float32) for part in parts))

    def normalise_actions(self, actions: np.ndarray) -> np.ndarray:
        return np.clip((actions - self.action_mean) / self.action_std, -CLAMP, CLAMP)

    def normalise_proprio(self, proprio: np.ndarray) -> np.ndarray:
        return np.clip((proprio - self.proprio_mean) / self.proprio_std, -CLAMP, CLAMP)

    def denormalise_actions(self, actions: np.ndarray) -> np.ndarray:
        return actions * self.action_std + self.action_mean


def label(worlds: Worlds, chunk: int = 4096) -> dict[str, np.ndarray]:
    """Pictures and labels of states, as tensors of the file."""
    done, _, block, plate = worlds.target()
    frames = np.concatenate([render(worlds.take(slice(i, i + 256))) for i in range(0, len(worlds), 256)])
    actions = np.concatenate(
        [worlds.take(slice(i, i + chunk)).expert_rollout(HORIZON) for i in range(0, len(worlds), chunk)]
    )
    return {
        "frames": frames,
        "palette": PALETTE,
        "proprio": worlds.proprio(),
        "actions": actions,
        "task": worlds.task.astype(np.int32),
        "held": worlds.held.astype(np.int32),
        "target": np.where(done[:, None], -1, np.stack([block, plate], 1)).astype(np.int32),
        "blocks": worlds.blocks.astype(np.float32),
        "block_colours": worlds.block_colours.astype(np.int32),
        "plates": worlds.plates.astype(np.float32),
        "plate_colours": worlds.plate_colours.astype(np.int32),
    }


def write_states(path: Path, states: dict[str, np.ndarray], about: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    save_file({name: np.ascontiguousarray(value) for name, value in states.items()}, unfinished, metadata=about)
    unfinished.rename(path)


def state_files(source: Path) -> list[Path]:
    """A file of states as it is; the files of a folder that ``fastwam demos`` wrote, as its list names them."""
    if not source.is_dir():
        return [source]
    manifest = source / "demos.json"
    if not manifest.exists():
        raise FileNotFoundError(f"{source}: no demos.json in it; write the folder with `fastwam demos`, to the end")
    return [source / shard["file"] for shard in json.loads(manifest.read_text())["shards"]]


def read_states(path: Path) -> dict[str, np.ndarray]:
    """Reads a file of labelled states and checks that it belongs to this world."""
    states = load_file(path)
    n = len(states.get("frames", ()))
    shapes = {
        "frames": (n, 64, 128),
        "palette": PALETTE.shape,
        "proprio": (n, 3),
        "actions": (n, HORIZON, 3),
        "task": (n,),
        "held": (n,),
        "target": (n, 2),
        "blocks": (n, SLOTS, 2),
        "block_colours": (n, SLOTS),
        "plates": (n, SLOTS, 2),
        "plate_colours": (n, SLOTS),
    }
    for name, shape in shapes.items():
        found = states[name].shape if name in states else "nothing"
        if found != shape:
            raise ValueError(f"{path}: tensor {name} has shape {found}, expected {shape}; write the file again")
    if not np.array_equal(states["palette"], PALETTE):
        raise ValueError(f"{path}: its palette is not this world's; write the file again")
    if not n or states["task"].min() < 0 or states["task"].max() >= len(TASKS):
        raise ValueError(f"{path}: its tasks are not numbers from 0 to {len(TASKS) - 1}; write the file again")
    return states


# ---------------------------------------------------------------------------------------------------------------------
# What the auxiliary heads learn: where things are, relative to the gripper.

# Presence and offset of: one block of each colour, a second red one (`spatial` has two; the left one comes first), and
# one plate of each colour.
OBJECTS = len(BLOCK_COLOURS) + 1 + len(PLATE_COLOURS)
OFFSET_SCALE = 4.0


def target_offsets(states: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of target block and plate [n, 4], and which of them count [n, 4]: none when all is done, and not the
    block while it is held, where a median would always answer 0."""
    rows = np.arange(len(states["task"]))
    block, plate = np.maximum(states["target"], 0).T
    gripper = states["proprio"][:, :2]
    offsets = np.concatenate([states["blocks"][rows, block] - gripper, states["plates"][rows, plate] - gripper], 1)
    running = states["target"][:, 0] >= 0
    counts = np.stack([running & (states["held"] != block)] * 2 + [running] * 2, 1)
    return (OFFSET_SCALE * offsets).astype(np.float32), counts.astype(np.float32)


def object_offsets(states: dict[str, np.ndarray]) -> np.ndarray:
    """[n, OBJECTS, (present, dx, dy)]; the held block does not count as present."""
    out = np.zeros((len(states["task"]), OBJECTS, 3), np.float32)
    gripper = states["proprio"][:, :2]
    second_red, first_plate = len(BLOCK_COLOURS), len(BLOCK_COLOURS) + 1

    def enter(rows: np.ndarray, column: np.ndarray, at: np.ndarray) -> None:
        out[rows, column, 0] = 1
        out[rows, column, 1:] = OFFSET_SCALE * (at[rows] - gripper[rows])

    for slot in range(SLOTS):
        colour = states["block_colours"][:, slot]
        rows = np.nonzero((colour >= 0) & (states["held"] != slot))[0]
        column = np.where(out[rows, colour[rows], 0] > 0, second_red, colour[rows])
        enter(rows, column, states["blocks"][:, slot])
        colour = states["plate_colours"][:, slot]
        rows = np.nonzero(colour >= 0)[0]
        enter(rows, first_plate + colour[rows], states["plates"][:, slot])
    swapped = (out[:, second_red, 0] > 0) & (out[:, second_red, 1] < out[:, 0, 1])
    out[np.ix_(swapped, (0, second_red))] = out[np.ix_(swapped, (second_red, 0))]
    return out


class LabelledStates:
    """States as tensors ready for batches."""

    def __init__(self, states: dict[str, np.ndarray], statistics: Statistics):
        offsets, counts = target_offsets(states)
        self.frames = torch.from_numpy(states["frames"])
        self.proprio = torch.from_numpy(statistics.normalise_proprio(states["proprio"]))
        self.actions = torch.from_numpy(statistics.normalise_actions(states["actions"]))
        self.task = torch.from_numpy(states["task"]).long()
        self.target = torch.from_numpy(offsets)
        self.target_counts = torch.from_numpy(counts)
        self.objects = torch.from_numpy(object_offsets(states))

    def __len__(self) -> int:
        return len(self.task)

    def extended(self, other: LabelledStates) -> LabelledStates:
        joined = object.__new__(LabelledStates)
        joined.__dict__ = {name: torch.cat([mine, other.__dict__[name]]) for name, mine in self.__dict__.items()}
        return joined


def colour_table() -> Tensor:
    """RGB of each palette index in [-1, 1], [c, 3]."""
    return torch.from_numpy(PALETTE).float() * (2 / 255) - 1


def frames_of(indices: Tensor, colours: Tensor) -> Tensor:
    """Palette indices [B, 64, 128] to frames [B, 3, 64, 128]."""
    return torch.nn.functional.embedding(indices.int(), colours).permute(0, 3, 1, 2)
