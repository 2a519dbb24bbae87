"""The world against the recorded traces, and the expert in it."""

import unittest
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from fastwam_tiny.evaluate import ExpertPolicy, run_episodes
from fastwam_tiny.rendering import PALETTE, render
from fastwam_tiny.tasks import SUITES, TASKS, tasks_of
from fastwam_tiny.world import SPEEDS, Worlds

FIXTURES = Path(__file__).parents[2] / "test" / "fixtures"


class RecordedTrace(unittest.TestCase):
    def setUp(self):
        self.trace = load_file(FIXTURES / "toy" / "world_trace.safetensors")

    def test_repeats_states_and_pictures(self):
        trace = self.trace
        worlds = Worlds.empty(SPEEDS["slow"], trace["init.task"])
        worlds.gripper = trace["state.g"][0].copy()
        worlds.objects = np.concatenate([trace["state.blk"][0], trace["state.plt"][0]], 1)
        worlds.block_colours, worlds.plate_colours = trace["init.bcol"], trace["init.pcol"]
        for step, actions in enumerate(trace["actions"]):
            if step % 80 == 0:
                np.testing.assert_array_equal(PALETTE[render(worlds)], trace["images"][step // 80])
            worlds.step(actions)
            np.testing.assert_allclose(worlds.gripper, trace["state.g"][step + 1], rtol=0, atol=1e-12)
            np.testing.assert_allclose(worlds.opening, trace["state.op"][step + 1], rtol=0, atol=1e-12)
            np.testing.assert_allclose(worlds.blocks, trace["state.blk"][step + 1], rtol=0, atol=1e-12)
            np.testing.assert_array_equal(worlds.held, trace["state.held"][step + 1])
            np.testing.assert_array_equal(worlds.success(), trace["state.success"][step + 1])


class MovingTrace(unittest.TestCase):
    """What drifts and is pushed, against the trace that the TypeScript world recorded: one world of each dynamic task."""

    def setUp(self):
        self.trace = load_file(FIXTURES / "sim" / "dynamic_trace.safetensors")

    def test_repeats_states_and_pictures(self):
        trace = self.trace
        worlds = Worlds.empty(SPEEDS["slow"], trace["init.task"])
        worlds.gripper = trace["init.g"].copy()
        worlds.objects = np.concatenate([trace["init.blk"], trace["init.plt"]], 1)
        worlds.block_colours, worlds.plate_colours = trace["init.bcol"], trace["init.pcol"]
        worlds.velocity = trace["init.velocity"].copy()
        worlds.lanes = trace["init.lanes"].reshape(-1, 6, 2, 2).copy()  # (x from, x to), (y from, y to)
        worlds.remaining = np.where((worlds.velocity != 0).any(-1), np.inf, 0.0)
        self.assertEqual(np.isinf(worlds.remaining).sum(), 8)
        for step in range(len(trace["actions"]) + 1):
            what = f"before step {step}"
            np.testing.assert_allclose(worlds.gripper, trace["state.g"][step], rtol=0, atol=1e-12, err_msg=what)
            np.testing.assert_allclose(worlds.opening, trace["state.op"][step], rtol=0, atol=1e-12, err_msg=what)
            np.testing.assert_allclose(worlds.blocks, trace["state.blk"][step], rtol=0, atol=1e-12, err_msg=what)
            np.testing.assert_allclose(worlds.plates, trace["state.plt"][step], rtol=0, atol=1e-12, err_msg=what)
            np.testing.assert_array_equal(worlds.held, trace["state.held"][step], err_msg=what)
            np.testing.assert_array_equal(worlds.success(), trace["state.success"][step], err_msg=what)
            if step % 50 == 0 and step < len(trace["actions"]):
                np.testing.assert_array_equal(render(worlds), trace["frames"][step // 50], err_msg=what)
            if step == len(trace["actions"]):
                break
            worlds.step(trace["actions"][step])
            for after, row, block, x, y, steps in trace["pushes"]:
                if after == step:
                    worlds.slide(int(row), int(block), np.array([x, y]), steps)


class Expert(unittest.TestCase):
    def test_solves_every_suite_in_both_conditions(self):
        for condition in ("clean", "random"):
            tasks = np.arange(48) % len(TASKS)
            result = run_episodes(ExpertPolicy(), tasks, seed=3, speed=SPEEDS["slow"], condition=condition)
            self.assertGreaterEqual(result.success.mean(), 0.97, condition)

    def test_every_task_is_in_a_suite(self):
        self.assertEqual(sorted(np.concatenate([tasks_of(suite) for suite in SUITES])), list(range(len(TASKS))))


if __name__ == "__main__":
    unittest.main()
