"""The planar table-top, many tables at once (NumPy, float64). The same world as ``src/sim``.

Lengths are in table units: the table is [0,1] x [0,1], x to the right, y down in the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tasks import BLOCK_COLOURS, PLATE_COLOURS, TASKS

BLOCK_HALF_SIDE = 0.055
PLATE_RADIUS = 0.085
GRASP_TOLERANCE = 0.045
PLACE_TOLERANCE = 0.06
GRIPPER_RANGE = (0.03, 0.97)
GRIP_THRESHOLD = 0.6
HOLDING_OPENING = 0.25
INNER = (0.1, 0.9)
OBJECT_DISTANCE = 0.17
RELATION_MARGIN = 0.12
SLIP_REACH = 0.08
SLIP_RANGE = (0.06, 0.94)
PUSH_RING = (0.1, 0.3)
PUSH_UNITS = 4
LANE_LENGTH = (0.3, 0.45)
DRIFT_SPEED = (0.15, 0.25)
EXPERT_NEAR = 0.012

SLOTS = 3
HORIZON = 32
CONTROL_RATE = 10.0


@dataclass(frozen=True)
class Speed:
    name: str
    step: float
    """Largest displacement of the gripper in one control step and axis."""
    grip: float
    """Change of its opening in one control step."""
    stretch: int
    """Control steps in one unit of a disturbance's waiting time."""


SPEEDS = {"slow": Speed("slow", 0.008, 0.125, 2), "fast": Speed("fast", 0.02, 0.25, 1)}

_RELATIONS = {"left": (0, 1), "right": (0, -1), "upper": (1, 1), "lower": (1, -1)}


def _relation_holds(relation: str, blocks: np.ndarray) -> bool:
    axis, sign = _RELATIONS[relation]
    return sign * (blocks[1, axis] - blocks[0, axis]) >= RELATION_MARGIN


def _box_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of axis-aligned boxes [..., xy, (from, to)]."""
    gap = np.maximum(0, np.maximum(a[..., 0] - b[..., 1], b[..., 0] - a[..., 1]))
    return np.sqrt((gap * gap).sum(-1))


class Worlds:
    """B tables. Objects are blocks (slots 0 to 2) and plates (slots 3 to 5)."""

    FIELDS = (
        "task",  # [B] number in TASKS
        "gripper",  # [B, xy]
        "opening",  # [B] 0 shut, 1 open
        "held",  # [B] block slot, or -1
        "objects",  # [B, 6, xy]
        "block_colours",  # [B, 3] -1 for an empty slot
        "plate_colours",  # [B, 3]
        "pairs",  # [B, 3, (block, plate)]
        "pair_count",  # [B]
        "velocity",  # [B, 6, xy] displacement in the next step, of what moves
        "lanes",  # [B, 6, xy, (from, to)] where its centre stays
        "remaining",  # [B, 6] steps it goes on moving; inf for a drift
    )

    def __init__(self, speed: Speed, fields: dict[str, np.ndarray]):
        self.speed = speed
        for name in self.FIELDS:
            setattr(self, name, fields[name])
        self.rows = np.arange(len(self.task))

    def __len__(self) -> int:
        return len(self.task)

    # -- making -------------------------------------------------------------------------------------------------------

    @classmethod
    def empty(cls, speed: Speed, tasks: np.ndarray) -> Worlds:
        """Tables with the tasks' pairs, and nothing on them."""
        n = len(tasks)
        pairs = np.zeros((n, SLOTS, 2), int)
        count = np.ones(n, int)
        for row, number in enumerate(tasks):
            wanted = TASKS[number].pairs
            pairs[row, : len(wanted)] = wanted
            count[row] = len(wanted)
        return cls(
            speed,
            dict(
                task=np.asarray(tasks),
                gripper=np.zeros((n, 2)),
                opening=np.ones(n),
                held=np.full(n, -1),
                objects=np.zeros((n, 2 * SLOTS, 2)),
                block_colours=np.full((n, SLOTS), -1),
                plate_colours=np.full((n, SLOTS), -1),
                pairs=pairs,
                pair_count=count,
                velocity=np.zeros((n, 2 * SLOTS, 2)),
                lanes=np.zeros((n, 2 * SLOTS, 2, 2)),
                remaining=np.zeros((n, 2 * SLOTS)),
            ),
        )

    @classmethod
    def reset(cls, speed: Speed, tasks: np.ndarray, random: np.random.Generator) -> Worlds:
        """New tables: gripper and objects uniform over the inner table, far enough apart, relations true."""
        worlds = cls.empty(speed, tasks)
        worlds.gripper[:] = random.uniform(*INNER, worlds.gripper.shape)
        for row in worlds.rows:
            worlds._draw_table(row, random)
        return worlds

    def _draw_table(self, row: int, random: np.random.Generator) -> None:
        task = TASKS[self.task[row]]
        named = [BLOCK_COLOURS.index(name) for name in task.blocks if name != "other"]
        free = list(random.permutation([c for c in range(len(BLOCK_COLOURS)) if c not in named]))
        for slot, name in enumerate(task.blocks):
            self.block_colours[row, slot] = free.pop() if name == "other" else BLOCK_COLOURS.index(name)
        for slot, name in enumerate(task.plates):
            self.plate_colours[row, slot] = PLATE_COLOURS.index(name)
        used = [*range(len(task.blocks)), *(SLOTS + slot for slot in range(len(task.plates)))]
        block, plate = task.pairs[0]
        drifting = {block} if task.block_drifts else set()
        if task.plate_drifts:
            drifting.add(SLOTS + plate)

        while True:
            at = random.uniform(*INNER, (len(used), 2))
            boxes = np.stack([at, at], -1)
            velocity = np.zeros((len(used), 2))
            for i, slot in enumerate(used):
                if slot in drifting:
                    at[i], velocity[i], boxes[i] = self._draw_drift(random)
            apart = _box_distance(boxes[:, None], boxes[None]) + np.eye(len(used))
            if apart.min() < OBJECT_DISTANCE:
                continue
            if task.relation and not _relation_holds(task.relation, at):
                continue
            self.objects[row, used] = at
            self.velocity[row, used] = velocity
            self.lanes[row, used] = boxes
            self.remaining[row, list(drifting)] = np.inf
            return

    def _draw_drift(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position, velocity and lane of something that moves to and fro along one axis."""
        axis = random.integers(2)
        length = random.uniform(*LANE_LENGTH)
        start = random.uniform(INNER[0], INNER[1] - length)
        at = np.empty(2)
        at[axis] = random.uniform(start, start + length)
        at[1 - axis] = random.uniform(*INNER)
        velocity = np.zeros(2)
        velocity[axis] = random.uniform(*DRIFT_SPEED) * self.speed.step * random.choice((-1, 1))
        lane = np.stack([at, at], -1)
        lane[axis] = (start, start + length)
        return at, velocity, lane

    def take(self, rows: np.ndarray | slice = slice(None)) -> Worlds:
        """Independent copies of some tables."""
        return Worlds(self.speed, {name: getattr(self, name)[rows].copy() for name in self.FIELDS})

    @classmethod
    def concatenate(cls, parts: list[Worlds]) -> Worlds:
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in cls.FIELDS}
        return cls(parts[0].speed, joined)

    # -- seeing -------------------------------------------------------------------------------------------------------

    @property
    def blocks(self) -> np.ndarray:
        return self.objects[:, :SLOTS]

    @property
    def plates(self) -> np.ndarray:
        return self.objects[:, SLOTS:]

    def proprio(self) -> np.ndarray:
        """[B, 3] float32: gripper x, y, opening."""
        return np.concatenate([self.gripper, self.opening[:, None]], 1).astype(np.float32)

    def placed(self) -> np.ndarray:
        """[B, 3] bool: is this pair's block on its plate and free? Pairs that a task does not have count as placed."""
        rows, block, plate = self.rows[:, None], self.pairs[..., 0], self.pairs[..., 1]
        offset = self.blocks[rows, block] - self.plates[rows, plate]
        near = np.sqrt((offset * offset).sum(-1)) < PLACE_TOLERANCE
        return (near & (self.held[:, None] != block)) | (np.arange(SLOTS) >= self.pair_count[:, None])

    def success(self) -> np.ndarray:
        return self.placed().all(1)

    def target(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(all placed, sub-task, its block, its plate), each [B]."""
        placed = self.placed()
        sub_task = np.argmin(placed, 1)
        return placed.all(1), sub_task, self.pairs[self.rows, sub_task, 0], self.pairs[self.rows, sub_task, 1]

    # -- moving -------------------------------------------------------------------------------------------------------

    def step(self, actions: np.ndarray, active: np.ndarray | None = None) -> None:
        """One control step with actions [B, (dx, dy, grip)]; tables that are not active stay as they are."""
        if active is None:
            active = np.ones(len(self), bool)
        way = np.clip(actions[:, :2], -1, 1) * self.speed.step
        self.gripper = np.where(active[:, None], np.clip(self.gripper + way, *GRIPPER_RANGE), self.gripper)

        before = self.opening
        narrowest = np.where(self.held >= 0, HOLDING_OPENING, 0.0)
        after = np.clip(before + np.where(actions[:, 2] > 0, self.speed.grip, -self.speed.grip), narrowest, 1.0)
        self.opening = np.where(active, after, before)

        closing = active & (self.held < 0) & (before > GRIP_THRESHOLD) & (self.opening <= GRIP_THRESHOLD)
        if closing.any():
            away = np.abs(self.blocks - self.gripper[:, None]).max(-1)
            away[self.block_colours < 0] = np.inf
            nearest = away.argmin(1)
            taken = closing & (away[self.rows, nearest] < GRASP_TOLERANCE)
            self.held = np.where(taken, nearest, self.held)
            self.remaining[self.rows[taken], nearest[taken]] = 0
        holds = self.rows[self.held >= 0]
        self.objects[holds, self.held[holds]] = self.gripper[holds]
        self.held = np.where(active & (self.held >= 0) & (self.opening > GRIP_THRESHOLD), -1, self.held)
        if self.remaining.any():
            self._move_objects(active)

    def _move_objects(self, active: np.ndarray) -> None:
        # Plates first: a block that rests on a moving plate goes with it.
        for slot in range(2 * SLOTS - 1, -1, -1):
            rows = self.rows[active & (self.remaining[:, slot] > 0)]
            if not len(rows):
                continue
            before = self.objects[rows, slot]
            at = before + self.velocity[rows, slot]
            start, end = self.lanes[rows, slot, :, 0], self.lanes[rows, slot, :, 1]
            wall = np.where(at < start, start, end)
            outside = (at < start) | (at > end)
            at = np.where(outside, 2 * wall - at, at)
            self.objects[rows, slot] = at
            self.velocity[rows, slot] = np.where(outside, -self.velocity[rows, slot], self.velocity[rows, slot])
            self.remaining[rows, slot] -= 1
            if slot < SLOTS:
                continue
            for block in range(SLOTS):
                offset = self.objects[rows, block] - before
                rests = (self.held[rows] != block) & (self.block_colours[rows, block] >= 0)
                rests &= (self.remaining[rows, block] == 0) & (np.sqrt((offset * offset).sum(-1)) < PLATE_RADIUS)
                self.objects[rows[rests], block] += (at - before)[rests]

    def expert(self) -> np.ndarray:
        """Actions [B, 3] of a scripted expert that sees the whole state and keeps no memory."""
        done, _, block, plate = self.target()
        holding = self.held == block
        idle = done | ((self.held >= 0) & ~holding)  # nothing to do, or the wrong block to put down
        goal = np.where(holding, SLOTS + plate, block)
        offset = self.objects[self.rows, goal] - self.gripper
        distance = np.sqrt((offset * offset).sum(-1))
        near = distance < EXPERT_NEAR

        pace = np.minimum(1.0, distance / (2 * self.speed.step)) / np.maximum(distance, 1e-9)
        move = offset * pace[:, None]
        stays = near & (holding | (self.opening < GRIP_THRESHOLD))
        move[stays] = 0
        drift = self.velocity[self.rows, goal] / self.speed.step
        moving = (self.remaining[self.rows, goal] > 0)[:, None]
        move = np.where(moving, np.clip(move + drift, -1, 1), move)
        grip = np.where(holding, np.where(near, 1.0, -1.0), np.where(near & (self.opening > GRIP_THRESHOLD), -1.0, 1.0))
        move[idle] = 0
        grip[idle] = 1.0
        return np.concatenate([move, grip[:, None]], 1)

    def expert_rollout(self, length: int = HORIZON) -> np.ndarray:
        """What the expert would do from here if nothing disturbed it, [B, length, 3] float32; the tables stay."""
        imagined = self.take()
        actions = np.zeros((len(self), length, 3), np.float32)
        for k in range(length):
            action = imagined.expert()
            actions[:, k] = action
            imagined.step(action)
        return actions

    # -- what happens from outside ------------------------------------------------------------------------------------

    def jump(self, row: int, slot: int, random: np.random.Generator) -> None:
        """Puts an object (blocks 0 to 2, plates 3 to 5) somewhere else, if it can be moved and a place is free."""
        place = self._free_place(row, slot, random)
        if place is not None:
            self.objects[row, slot] = place
            self.remaining[row, slot] = 0

    def push(self, row: int, block: int, random: np.random.Generator) -> None:
        """A free block slides away; a held one is knocked out of the gripper."""
        if self.held[row] == block:
            self.slip(row, random)
            return
        place = self._free_place(row, block, random, PUSH_RING)
        if place is None:
            return
        self.slide(row, block, place, PUSH_UNITS * self.speed.stretch)

    def slide(self, row: int, block: int, place: np.ndarray, steps: float) -> None:
        """A free block goes to `place` in this many steps, and rests there."""
        if self.held[row] == block:
            return
        self.velocity[row, block] = (place - self.objects[row, block]) / steps
        self.lanes[row, block] = (0, 1)
        self.remaining[row, block] = steps

    def slip(self, row: int, random: np.random.Generator) -> None:
        """The held block falls out and the gripper is shut. Not in `spatial`, where left and right would change."""
        block = self.held[row]
        if block < 0 or TASKS[self.task[row]].suite == "spatial":
            return
        self.held[row] = -1
        self.opening[row] = 0.0
        self.objects[row, block] = np.clip(
            self.gripper[row] + random.uniform(-SLIP_REACH, SLIP_REACH, 2), *SLIP_RANGE
        )

    def _present(self, row: int) -> np.ndarray:
        return np.concatenate([self.block_colours[row], self.plate_colours[row]]) >= 0

    def _free_place(
        self, row: int, slot: int, random: np.random.Generator, ring: tuple[float, float] | None = None
    ) -> np.ndarray | None:
        present = self._present(row)
        if not present[slot] or self.remaining[row, slot] > 0 or self.held[row] == slot:
            return None
        if slot >= SLOTS:
            offset = self.blocks[row] - self.objects[row, slot]
            on_it = np.sqrt((offset * offset).sum(-1)) < PLATE_RADIUS
            if (on_it & present[:SLOTS] & (self.held[row] != np.arange(SLOTS))).any():
                return None
        at = self.objects[row]
        drifts = np.isinf(self.remaining[row])[:, None, None]
        boxes = np.where(drifts, self.lanes[row], np.stack([at, at], -1))
        others = boxes[present & (np.arange(2 * SLOTS) != slot)]
        relation = TASKS[self.task[row]].relation if slot < SLOTS else None
        for _ in range(20):
            place = random.uniform(*INNER, 2)
            if (_box_distance(np.stack([place, place], -1), others) < OBJECT_DISTANCE).any():
                continue
            if ring and not ring[0] <= np.linalg.norm(place - at[slot]) <= ring[1]:
                continue
            if relation:
                blocks = self.blocks[row].copy()
                blocks[slot] = place
                if not _relation_holds(relation, blocks):
                    continue
            return place
        return None


class Disturbances:
    """What happens to B episodes from outside; the rules and chances of ``src/sim/Disturbances.ts``."""

    def __init__(self, worlds: Worlds, condition: str, random: np.random.Generator):
        shape = (len(worlds), SLOTS)
        random_condition = condition == "random"
        self._random = random
        self._jumps = (random.random(shape) < 0.6) & random_condition
        self._jump_after = random.integers(6, 22, shape) * worlds.speed.stretch
        self._then = random.choice((0, 1, 2), shape, p=(0.3, 0.35, 0.35)) * random_condition
        self._then_after = random.integers(4, 16, shape) * worlds.speed.stretch
        pushed = np.array([TASKS[number].pushed for number in worlds.task])
        pushes = np.cumsum(random.integers(8, 25, (len(worlds), 3)), 1) * float(worlds.speed.stretch)
        pushes[np.arange(3) >= random.integers(1, 4, len(worlds))[:, None]] = np.inf
        pushes[~pushed] = np.inf
        self._pushes = pushes
        self._sub_task = np.full(len(worlds), -1)
        self._began = np.zeros(len(worlds), int)
        self._grasped = np.full(len(worlds), -1)

    def after_step(self, worlds: Worlds, step: int, active: np.ndarray) -> None:
        """To be called after each control step; `step` counts from 0."""
        done, sub_task, block, plate = worlds.target()
        active = active & ~done
        new = active & (sub_task != self._sub_task)
        self._sub_task[new], self._began[new], self._grasped[new] = sub_task[new], step, -1
        held = worlds.held == block
        self._grasped[active & held & (self._grasped < 0)] = step
        rows = worlds.rows
        jump = active & ~held & self._jumps[rows, sub_task] & (step - self._began == self._jump_after[rows, sub_task])
        for row in rows[jump]:
            self._jumps[row, sub_task[row]] = False
            worlds.jump(row, block[row], self._random)
        then = self._then[rows, sub_task]
        due = (self._grasped >= 0) & (step - self._grasped == self._then_after[rows, sub_task])
        for row in rows[active & held & (then > 0) & due]:
            self._then[row, sub_task[row]] = 0
            if then[row] == 1:
                worlds.jump(row, SLOTS + plate[row], self._random)
            else:
                worlds.slip(row, self._random)
        for row, which in np.argwhere(active[:, None] & (self._pushes <= step)):
            self._pushes[row, which] = np.inf
            worlds.push(row, block[row], self._random)


_STEP_LIMITS = {  # condition, then single, dynamic, long
    ("fast", "clean"): (110, 160, 280),
    ("fast", "random"): (160, 200, 400),
    ("slow", "clean"): (250, 330, 660),
    ("slow", "random"): (330, 400, 900),
}


def step_limits(tasks: np.ndarray, condition: str, speed: Speed) -> np.ndarray:
    """Control steps after which an episode counts as failed, [B]."""
    single, dynamic, long = _STEP_LIMITS[speed.name, condition]
    by_suite = {"long": long, "dynamic": dynamic}
    return np.array([by_suite.get(TASKS[number].suite, single) for number in tasks])
