"""The simulated table-top world as an environment in Gymnasium's manner, over a socket: `fastwam serve --world`.

Needs openpi-client alone (`npm run openpi:setup`, or `pip install openpi-client typing_extensions`). An observation is what a policy server takes; pass it on
as it is, or make of it what your policy wants.
"""

from __future__ import annotations

import numpy as np
from openpi_client import websocket_client_policy


class TabletopEnv:
    """One episode at a time; a second environment is a second connection with a world of its own.

    Observations: `observation/front` and `observation/wrist`, uint8 [64, 64, 3]; `observation/state`, float32 [3] (x, y,
    opening of the gripper); `prompt`, the task. Actions: (dx, dy, grip), dx and dy in steps of the gripper from -1 to 1,
    grip > 0 opens.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, url: str = "ws://127.0.0.1:8000/world", api_key: str | None = None) -> None:
        self._world = websocket_client_policy.WebsocketClientPolicy(host=url, api_key=api_key)
        self.facts = self._world.get_server_metadata()

    def reset(self, *, seed: int = 0, options: dict | None = None) -> tuple[dict, dict]:
        """Begins an episode: number `episode` of the seed, over the tasks of the suites in turn.

        `options` may have episode (0), suites (all), speed ("slow" or "fast"), condition ("clean" or "random").
        """
        begun = self._world.infer({"reset": {"seed": seed, **(options or {})}})
        return begun["observation"], begun["info"]

    def step(self, action) -> tuple[dict, float, bool, bool, dict]:
        """One control step: observation, reward (1 on success), terminated, truncated, info."""
        after = self._world.infer({"step": np.asarray(action, dtype=np.float64)})
        return (
            after["observation"],
            float(after["reward"]),
            after["terminated"],
            after["truncated"],
            after["info"],
        )

    def render(self) -> np.ndarray:
        """Both cameras side by side, uint8 [64, 128, 3]."""
        return self._world.infer({"render": True})["picture"]
