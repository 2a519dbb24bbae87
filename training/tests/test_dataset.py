"""Files of labelled states, and the targets made from them."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from fastwam_tiny.config import TrainConfig
from fastwam_tiny.dataset import (
    OFFSET_SCALE,
    LabelledStates,
    Statistics,
    label,
    object_offsets,
    read_states,
    state_files,
    target_offsets,
    write_states,
)
from fastwam_tiny.flow import LossWeight, schedule
from fastwam_tiny.tasks import TASKS
from fastwam_tiny.train import Batches
from fastwam_tiny.world import SPEEDS, Worlds


def some_states() -> dict[str, np.ndarray]:
    worlds = Worlds.reset(SPEEDS["slow"], np.arange(len(TASKS)), np.random.default_rng(0))
    return label(worlds)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_come_back_as_they_were_written(self):
        states = some_states()
        write_states(self.folder / "a.safetensors", states, {})
        back = read_states(self.folder / "a.safetensors")
        self.assertEqual(states.keys(), back.keys())
        for name, value in states.items():
            np.testing.assert_array_equal(value, back[name])

    def test_of_another_world_are_refused(self):
        states = some_states()
        write_states(self.folder / "a.safetensors", states | {"palette": states["palette"] + 1}, {})
        with self.assertRaisesRegex(ValueError, "palette"):
            read_states(self.folder / "a.safetensors")

    def test_a_folder_is_read_as_its_list_says(self):
        with self.assertRaisesRegex(FileNotFoundError, "demos.json"):
            state_files(self.folder)
        shards = [{"file": "b.safetensors", "states": 1}, {"file": "a.safetensors", "states": 2}]
        (self.folder / "demos.json").write_text(json.dumps({"shards": shards}))
        self.assertEqual([path.name for path in state_files(self.folder)], ["b.safetensors", "a.safetensors"])


class Targets(unittest.TestCase):
    def test_point_from_the_gripper_to_the_target(self):
        states = some_states()
        offsets, counts = target_offsets(states)
        self.assertTrue((counts == 1).all())
        for row, task in enumerate(TASKS):
            block, plate = task.pairs[0]
            gripper = states["proprio"][row, :2]
            expected = [*(states["blocks"][row, block] - gripper), *(states["plates"][row, plate] - gripper)]
            np.testing.assert_allclose(offsets[row], OFFSET_SCALE * np.array(expected), atol=1e-6)

    def test_leave_out_the_held_block_and_what_is_done(self):
        states = some_states()
        states["held"][0], states["target"][1] = states["target"][0, 0], -1
        _, counts = target_offsets(states)
        np.testing.assert_array_equal(counts[:3], [[0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]])

    def test_of_two_red_blocks_the_left_one_comes_first(self):
        objects = object_offsets(some_states())[:4]  # the four `spatial` tasks
        self.assertTrue((objects[:, (0, 4), 0] == 1).all())
        self.assertTrue((objects[:, 0, 1] < objects[:, 4, 1]).all())
        self.assertTrue((objects[:, (1, 2, 3, 6, 7)] == 0).all())


class Sampling(unittest.TestCase):
    def test_a_batch_has_its_shares_of_suites(self):
        states = some_states()
        data = LabelledStates(states, Statistics.of(states["actions"], states["proprio"]))
        config = TrainConfig(frames=40, share_long=0.3, share_dynamic=0.25)
        rows = Batches(config, data).rows(torch.Generator().manual_seed(0))
        suites = [TASKS[number].suite for number in data.task[rows].tolist()]
        self.assertEqual((len(suites), suites.count("long"), suites.count("dynamic")), (40, 12, 10))

    def test_loss_weight_has_a_mean_of_one_over_the_shifted_timesteps(self):
        timesteps, _ = schedule(1000, 5.0)
        for floor in (0.0, 0.5):
            self.assertAlmostEqual(LossWeight(5.0, floor)(timesteps.double()).mean().item(), 1.0, places=5)


if __name__ == "__main__":
    unittest.main()
