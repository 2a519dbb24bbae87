"""Flow matching with a shifted schedule: x = (1 - sigma) action + sigma noise; the model predicts noise - action."""

import torch
from torch import Tensor

TIMESTEPS = 1000.0


def shifted(u: Tensor, shift: float) -> Tensor:
    return shift * u / (1 + (shift - 1) * u)


def schedule(steps: int, shift: float) -> tuple[Tensor, Tensor]:
    """Timesteps [N] and step lengths [N] (negative) of inference."""
    sigma = shifted(torch.linspace(1.0, 0.0, steps + 1), shift)
    return sigma[:-1] * TIMESTEPS, sigma[1:] - sigma[:-1]


def episode_noise(seed: int, horizon: int, action_dim: int) -> Tensor:
    """Starting noise [1, T, a] as the public evaluation draws it: a new generator for each chunk."""
    return torch.randn(1, horizon, action_dim, generator=torch.Generator().manual_seed(seed))


class LossWeight:
    """The original's weight by timestep: a bell around 500, lowered to 0 at its lowest, with a mean of 1 over the
    shifted timesteps; then a floor is added and the mean restored."""

    def __init__(self, shift: float, floor: float):
        grid = shifted(torch.linspace(1.0, 0.0, int(TIMESTEPS) + 1, dtype=torch.float64)[:-1], shift) * TIMESTEPS
        bell = self._bell(grid)
        self._lowest = bell.min().item()
        self._mean = (bell - self._lowest).mean().item()
        self._floor = floor

    @staticmethod
    def _bell(timesteps: Tensor) -> Tensor:
        return torch.exp(-2 * ((timesteps - TIMESTEPS / 2) / TIMESTEPS) ** 2)

    def __call__(self, timesteps: Tensor) -> Tensor:
        weight = (self._bell(timesteps) - self._lowest) / self._mean
        return (weight + self._floor) / (1 + self._floor)
