"""The tasks of the table-top, their scenes, and the text contexts of their instructions.

The list and its order are those of ``src/sim/tasks.ts``: a task's number means the same in both.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

BLOCK_COLOURS = ("red", "green", "blue", "yellow")
PLATE_COLOURS = ("white", "grey", "purple")
SUITES = ("spatial", "object", "goal", "long", "dynamic")


@dataclass(frozen=True)
class Task:
    suite: str
    instruction: str
    blocks: tuple[str, ...]
    """Colour of the block in each used slot; "other" is drawn at reset."""
    plates: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    """(block slot, plate slot), in the order in which the expert places them."""
    relation: str | None = None
    """Where block 0 stands as seen from block 1."""
    block_drifts: bool = False
    plate_drifts: bool = False
    pushed: bool = False


def _among_others(block: str) -> dict:
    return dict(blocks=(block, "other", "other"), plates=("white",), pairs=((0, 0),))


def _among_plates(block: str, second: str, plate: str) -> dict:
    return dict(blocks=(block, second), plates=PLATE_COLOURS, pairs=((0, PLATE_COLOURS.index(plate)),))


def _spatial() -> list[Task]:
    return [
        Task(
            "spatial",
            f"pick up the {relation} red block and place it on the white plate",
            blocks=("red", "red"),
            plates=("white",),
            pairs=((0, 0),),
            relation=relation,
        )
        for relation in ("left", "right", "upper", "lower")
    ]


def _object() -> list[Task]:
    return [
        Task("object", f"pick up the {colour} block and place it on the white plate", **_among_others(colour))
        for colour in BLOCK_COLOURS
    ]


def _goal() -> list[Task]:
    goals = (("red", "white"), ("red", "grey"), ("red", "purple"), ("yellow", "purple"))
    return [
        Task(
            "goal",
            f"put the {block} block on the {plate} plate",
            **_among_plates(block, "yellow" if block == "red" else "red", plate),
        )
        for block, plate in goals
    ]


def _long() -> list[Task]:
    sequences = (
        ((0, 0), (1, 1), (2, 2)),
        ((2, 0), (0, 1), (1, 2)),
        ((1, 0), (2, 1), (0, 2)),
        ((0, 2), (1, 0), (2, 1)),
    )
    return [
        Task(
            "long",
            "put "
            + ", then ".join(f"the {BLOCK_COLOURS[b]} block on the {PLATE_COLOURS[p]} plate" for b, p in pairs),
            blocks=("red", "green", "blue"),
            plates=PLATE_COLOURS,
            pairs=pairs,
        )
        for pairs in sequences
    ]


def _dynamic() -> list[Task]:
    drifting_blocks = [
        Task(
            "dynamic",
            f"pick up the moving {colour} block and place it on the white plate",
            block_drifts=True,
            **_among_others(colour),
        )
        for colour in ("red", "blue")
    ]
    drifting_plates = [
        Task(
            "dynamic",
            f"put the {block} block on the moving {plate} plate",
            plate_drifts=True,
            **_among_plates(block, second, plate),
        )
        for block, second, plate in (("red", "yellow", "grey"), ("yellow", "red", "purple"))
    ]
    both = [
        Task(
            "dynamic",
            f"put the moving {block} block on the moving {plate} plate",
            blocks=(block, "other"),
            plates=(plate,),
            pairs=((0, 0),),
            block_drifts=True,
            plate_drifts=True,
        )
        for block, plate in (("green", "white"), ("yellow", "grey"))
    ]
    pushed = [
        Task(
            "dynamic",
            "catch the green block and place it on the white plate",
            pushed=True,
            **_among_others("green"),
        ),
        Task(
            "dynamic",
            "catch the red block and put it on the purple plate",
            pushed=True,
            **_among_plates("red", "yellow", "purple"),
        ),
    ]
    return drifting_blocks + drifting_plates + both + pushed


TASKS: tuple[Task, ...] = (*_spatial(), *_object(), *_goal(), *_long(), *_dynamic())


def tasks_of(suite: str) -> np.ndarray:
    """Numbers of a suite's tasks."""
    return np.array([number for number, task in enumerate(TASKS) if task.suite == suite])


# ---------------------------------------------------------------------------------------------------------------------
# Text contexts. A real Fast-WAM reads T5 embeddings; here each content word has a fixed random direction, so that
# "red" is the same vector in every instruction. (Independent random tokens per instruction do not train: nothing is
# shared between tasks.)

_STOP_WORDS = frozenset("pick up the block and place it on plate put then".split())


def _direction(key: str, width: int) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(width)


def text_context(instruction: str, length: int = 8, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Context [length, width] float32 of an instruction, zero padded, and the mask [length] of its real rows."""
    words = [word for word in instruction.replace(",", "").split() if word not in _STOP_WORDS]
    if len(words) > length:
        raise ValueError(f'instruction "{instruction}" has {len(words)} content words; the context holds {length}')
    context = np.zeros((length, width), np.float32)
    for position, word in enumerate(words):
        context[position] = _direction(f"word:{word}", width) + 0.5 * _direction(f"pos:{position}", width)
    return context, np.arange(length) < len(words)


def all_contexts(length: int = 8, width: int = 64) -> np.ndarray:
    """Contexts of all tasks as the network sees them, [tasks, length, width] float32."""
    return np.stack([text_context(task.instruction, length, width)[0] for task in TASKS])
