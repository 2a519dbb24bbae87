"""Sizes of the model and settings of a training run; both are stored beside what they made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

LATENT_CHANNELS = 48
LATENT_STRIDE = 16
PATCH = 2


@dataclass(frozen=True)
class ModelConfig:
    """Names as in a checkpoint's config.json."""

    height: int = 64
    width: int = 128
    action_dim: int = 3
    proprio_dim: int | None = 3
    horizon: int = 32
    layers: int = 4
    heads: int = 4
    head_dim: int = 24
    video_dim: int = 96
    video_ffn: int = 256
    action_hidden: int = 96
    action_ffn: int = 256
    text_dim: int = 64
    freq_dim: int = 64
    vae_dim: int = 8
    context_len: int = 8
    steps: int = 10
    shift: float = 5.0
    eps: float = 1e-6

    def __post_init__(self):
        unit = LATENT_STRIDE * PATCH
        if self.height % unit or self.width % unit:
            raise ValueError(f"image {self.height}x{self.width}: both sides must be multiples of {unit}")
        if self.head_dim % 2 or (self.head_dim // 3) % 2:
            raise ValueError(
                f"head_dim {self.head_dim}: it and a third of it, rounded down, must be even, because each part of the "
                "3-D position encoding turns pairs of numbers"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of video tokens."""
        unit = LATENT_STRIDE * PATCH
        return self.height // unit, self.width // unit

    @property
    def video_tokens(self) -> int:
        rows, columns = self.grid
        return rows * columns

    @classmethod
    def from_json(cls, values: dict) -> ModelConfig:
        """Takes what it knows and leaves the rest (rates, normalisation, ...) to others."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


@dataclass(frozen=True)
class TrainConfig:
    seed: int = 1
    speed: str = "slow"

    # Demonstrations: noisy episodes of the scripted expert, and how many states of each suite a batch holds.
    single_episodes: int = 4200
    long_episodes: int = 1300
    dynamic_episodes: int = 2400
    share_long: float = 0.33
    share_dynamic: float = 0.25

    iterations: int = 7000
    frames: int = 48
    draws: int = 2
    """Noise draws per frame: they share the frame's encoding and its video K and V."""
    learning_rate: float = 1.2e-3
    warmup: int = 60
    final_rate: float = 0.01
    """Share of the learning rate that the cosine ends at."""
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.999
    """Decay of the moving average of the weights, which is what is evaluated and saved."""
    weight_floor: float = 0.5
    """Added to the original's loss weight, which is nearly 0 at sigma = 1, where the observation decides the plan."""

    # The policy's own states, labelled by the expert, from this share of the iterations on.
    own_states_at: tuple[float, ...] = (0.45, 0.7)
    own_episodes: int = 288
    share_own: float = 0.2

    evaluate_every: int = 1000
    evaluate_episodes: int = 96
    save_every: int = 100

    def to_json(self) -> dict:
        return asdict(self)
