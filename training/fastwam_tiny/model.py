"""Fast-WAM for one camera frame, in PyTorch: definition for training, written from the model's formulas.

State-dict names and shapes are the original's (github yuantianyuan01/FastWAM), so that a checkpoint trained here loads
there; parameters that one frame never uses (temporal kernels, the video head) exist for that reason only.

Sizes: B frames, R noise draws per frame, V video tokens, T action tokens, C context tokens, L layers.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import LATENT_CHANNELS, PATCH, ModelConfig

# ---------------------------------------------------------------------------------------------------------------------
# VAE encoder (Wan 2.2), one frame. Its causal convolutions see zeros before the first frame, so that of each temporal
# kernel only the last slice acts: a 2-D convolution.

# fmt: off
LATENT_MEAN = (
    -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891,
    0.1570, -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502,
    -0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723,
    -0.2839, -0.2083, -0.0520, 0.3748, 0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667,
)
LATENT_STD = (
    0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901,
    0.6885, 0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659,
    0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944,
    0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744,
)
# fmt: on


class FrameConv(nn.Module):
    """A causal 3-D convolution as one frame sees it; weight [out, in, time, k, k]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, time: int | None = None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, time or kernel, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        # The scale is that of the slice that acts; the default would count the silent ones too.
        nn.init.kaiming_uniform_(self.weight.data[:, :, -1], a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight[:, :, -1], self.bias, padding=self.weight.shape[-1] // 2)


class _NormSilu(torch.autograd.Function):
    """silu(gamma x / rms(x)), rms over the channels of [B, C, H, W]. One node instead of six: the encoder is narrow
    and deep, and its time goes into memory traffic."""

    @staticmethod
    def forward(ctx, x: Tensor, gamma: Tensor) -> Tensor:
        inverse = (x * x).mean(1, keepdim=True).clamp_min_(1e-24).rsqrt_()
        ctx.save_for_backward(x, inverse, gamma)
        return F.silu((x * inverse).mul_(gamma), inplace=True)

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, inverse, gamma = ctx.saved_tensors
        unit = x * inverse
        grad = torch.ops.aten.silu_backward(grad, unit * gamma)
        along = grad * unit
        grad_gamma = along.sum((0, 2, 3)).view_as(gamma)
        mean = along.mul_(gamma).mean(1, keepdim=True)
        return grad.mul_(gamma).sub_(unit.mul_(mean)).mul_(inverse), grad_gamma


class ChannelNorm(nn.Module):
    """RMS over channels, times gamma [C, 1, 1] (stored with as many ones behind as the original has)."""

    def __init__(self, channels: int, ones: int = 3):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, *(1,) * ones))

    def forward(self, x: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min(1e-12)
        return x * (math.sqrt(x.shape[1]) / norm) * self.gamma.view(-1, 1, 1)

    def then_silu(self, x: Tensor) -> Tensor:
        return _NormSilu.apply(x, self.gamma.view(-1, 1, 1))


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        # Numbered as in the original's list of layers, where 1 and 4 are SiLU and 5 is dropout.
        self.residual = nn.ModuleDict(
            {
                "0": ChannelNorm(inputs),
                "2": FrameConv(inputs, outputs, 3),
                "3": ChannelNorm(outputs),
                "6": FrameConv(outputs, outputs, 3),
            }
        )
        self.shortcut = FrameConv(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        layer = self.residual
        y = layer["2"](layer["0"].then_silu(x))
        return layer["6"](layer["3"].then_silu(y)) + self.shortcut(x)


class HalveFrame(nn.Module):
    """Strided convolution over a frame padded to the right and below; its temporal convolution needs a second frame."""

    def __init__(self, channels: int, temporal: bool):
        super().__init__()
        self.resample = nn.ModuleDict({"1": nn.Conv2d(channels, channels, 3, stride=2)})
        if temporal:
            self.time_conv = nn.Conv3d(channels, channels, (3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.resample["1"](F.pad(x, (0, 1, 0, 1)))


class Stage(nn.Module):
    """Two residual blocks, then halving; beside them a shortcut of averages."""

    def __init__(self, inputs: int, outputs: int, halves: bool, temporal: bool):
        super().__init__()
        layers: list[nn.Module] = [Residual(inputs, outputs), Residual(outputs, outputs)]
        if halves:
            layers.append(HalveFrame(outputs, temporal))
        self.downsamples = nn.Sequential(*layers)
        self.halves, self.temporal = halves, temporal

    def forward(self, x: Tensor) -> Tensor:
        y = self.downsamples(x)
        if self.halves:
            x = F.avg_pool2d(x, 2)
        if self.temporal:
            # The shortcut averages over pairs of frames with a zero frame in front, in groups of half a channel:
            # every other output is the mean of zeros.
            x = torch.stack([torch.zeros_like(x), x], 2).flatten(1, 2)
        return y + x


class SpatialAttention(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.norm = ChannelNorm(channels, ones=2)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.proj.weight)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.to_qkv(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1).chunk(3, -1)
        mixed = F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2)
        return x + self.proj(mixed.reshape(x.shape))


class Encoder(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        widths = [dim, dim, 2 * dim, 4 * dim, 4 * dim]
        self.conv1 = FrameConv(12, dim, 3)
        self.downsamples = nn.Sequential(
            *(Stage(widths[i], widths[i + 1], halves=i < 3, temporal=i in (1, 2)) for i in range(4))
        )
        self.middle = nn.Sequential(
            Residual(4 * dim, 4 * dim), SpatialAttention(4 * dim), Residual(4 * dim, 4 * dim)
        )
        self.head = nn.ModuleDict({"0": ChannelNorm(4 * dim), "2": FrameConv(4 * dim, 2 * LATENT_CHANNELS, 3)})

    def forward(self, x: Tensor) -> Tensor:
        x = self.middle(self.downsamples(self.conv1(x)))
        return self.head["2"](self.head["0"].then_silu(x))


class Vae(nn.Module):
    """The encoder half of the VAE: frames to normalised latent means."""

    def __init__(self, dim: int):
        super().__init__()
        self.encoder = Encoder(dim)
        self.conv1 = FrameConv(2 * LATENT_CHANNELS, 2 * LATENT_CHANNELS, 1)
        self.register_buffer("mean", torch.tensor(LATENT_MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(LATENT_STD).view(-1, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """frames [B, 3, H, W] in [-1, 1] to latents [B, 48, H/16, W/16]."""
        b, c, h, w = frames.shape
        # 2x2 pixels become channels, ordered (colour, column, row).
        x = frames.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 5, 3, 2, 4).reshape(b, 4 * c, h // 2, w // 2)
        x = self.encoder(x.contiguous(memory_format=torch.channels_last))
        mean = self.conv1(x)[:, :LATENT_CHANNELS]
        return ((mean - self.mean) / self.std).contiguous()


# ---------------------------------------------------------------------------------------------------------------------
# Transformers


class RmsNorm(nn.Module):
    """Over the whole width of all heads."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotations(width: int, positions: int) -> Tensor:
    """Unit complex numbers [positions, width / 2]: position p turns pair i by p / 10000^(2i / width)."""
    rates = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(positions, dtype=torch.float64)[:, None] * rates
    return torch.polar(torch.ones_like(angles), angles)


def grid_rotations(width: int, rows: int, columns: int) -> Tensor:
    """[rows * columns, width / 2] for the tokens of one frame: pairs for time (which stands at 0), row and column."""
    third = width // 3
    frame = rotations(width - 2 * third, 1)[0]
    row, column = rotations(third, rows), rotations(third, columns)
    parts = [
        frame.expand(rows, columns, -1),
        row[:, None].expand(rows, columns, -1),
        column[None].expand(rows, columns, -1),
    ]
    return torch.cat(parts, -1).flatten(0, 1)


def _repeat(x: Tensor, times: int) -> Tensor:
    return x if times == 1 else x.repeat(times, *(1,) * (x.dim() - 1))


class Attention(nn.Module):
    """Projections and norms of an attention; which tokens meet is decided outside."""

    def __init__(self, width: int, heads: int, head_dim: int, eps: float):
        super().__init__()
        inner = heads * head_dim
        self.q, self.k, self.v = (nn.Linear(width, inner) for _ in range(3))
        self.o = nn.Linear(inner, width)
        self.norm_q, self.norm_k = RmsNorm(inner, eps), RmsNorm(inner, eps)
        self.heads = heads

    def _split(self, x: Tensor, turn: Tensor | None = None) -> Tensor:
        """[B, S, inner] to [B, heads, S, head_dim], turned by position."""
        x = x.unflatten(-1, (self.heads, -1))
        if turn is not None:
            pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
            x = torch.view_as_real(pairs * turn[:, None]).flatten(-2)
        return x.transpose(1, 2)

    def queries(self, x: Tensor, turn: Tensor | None = None) -> Tensor:
        return self._split(self.norm_q(self.q(x)), turn)

    def keys_values(self, x: Tensor, turn: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._split(self.norm_k(self.k(x)), turn), self._split(self.v(x))

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width: int, ffn: int, heads: int, head_dim: int, eps: float):
        super().__init__()
        self.self_attn = Attention(width, heads, head_dim, eps)
        self.cross_attn = Attention(width, heads, head_dim, eps)
        self.norm3 = nn.LayerNorm(width, eps=eps)
        self.ffn = nn.Sequential(nn.Linear(width, ffn), nn.GELU(approximate="tanh"), nn.Linear(ffn, width))
        self.modulation = nn.Parameter(torch.randn(1, 6, width) / math.sqrt(width))
        self.eps = eps

    def _modulated(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], eps=self.eps) * (1 + scale) + shift

    def forward(
        self, x: Tensor, time: Tensor, context: Tensor, turn: Tensor, seen: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """
        x [B, S, width]; time [B or 1, 6, width]; context [B', C, width] with B a multiple of B'.
        seen: keys and values [B', heads, V, head_dim] of further tokens to attend to.
        Returns x and this block's own keys and values.
        """
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = (self.modulation + time).unsqueeze(2).unbind(1)
        draws = len(x) // len(context)
        m = self._modulated(x, shift_a, scale_a)
        q = self.self_attn.queries(m, turn)
        k, v = own = self.self_attn.keys_values(m, turn)
        if seen is not None:
            k = torch.cat([_repeat(seen[0], draws), k], 2)
            v = torch.cat([_repeat(seen[1], draws), v], 2)
        x = x + gate_a * self.self_attn.mix(q, k, v)
        k, v = (_repeat(part, draws) for part in self.cross_attn.keys_values(context))
        x = x + self.cross_attn.mix(self.cross_attn.queries(self.norm3(x)), k, v)
        return x + gate_m * self.ffn(self._modulated(x, shift_m, scale_m)), own


class Expert(nn.Module):
    """What both experts have: embeddings of text and time, and the blocks."""

    def __init__(self, config: ModelConfig, width: int, ffn: int):
        super().__init__()
        self.text_embedding = nn.Sequential(
            nn.Linear(config.text_dim, width), nn.GELU(approximate="tanh"), nn.Linear(width, width)
        )
        self.time_embedding = nn.Sequential(nn.Linear(config.freq_dim, width), nn.SiLU(), nn.Linear(width, width))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.blocks = nn.ModuleList(
            Block(width, ffn, config.heads, config.head_dim, config.eps) for _ in range(config.layers)
        )
        half = config.freq_dim // 2
        rates = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        self.register_buffer("time_rates", rates, persistent=False)

    def time(self, timesteps: Tensor) -> Tensor:
        """[B] in [0, 1000] to the blocks' modulation [B, 6, width]."""
        angles = timesteps.double()[:, None] * self.time_rates
        waves = torch.cat([angles.cos(), angles.sin()], 1).to(timesteps.dtype)
        return self.time_projection(self.time_embedding(waves)).unflatten(1, (6, -1))


class VideoHead(nn.Module):
    """Predicts latents in the original's training; actions never come past it."""

    def __init__(self, width: int):
        super().__init__()
        self.head = nn.Linear(width, LATENT_CHANNELS * PATCH * PATCH)
        self.modulation = nn.Parameter(torch.randn(1, 2, width) / math.sqrt(width))


class VideoExpert(Expert):
    def __init__(self, config: ModelConfig):
        super().__init__(config, config.video_dim, config.video_ffn)
        self.patch_embedding = nn.Conv3d(LATENT_CHANNELS, config.video_dim, (1, PATCH, PATCH), (1, PATCH, PATCH))
        self.head = VideoHead(config.video_dim)
        turn = grid_rotations(config.head_dim, *config.grid).to(torch.complex64)
        self.register_buffer("turn", turn, persistent=False)

    def embed(self, latents: Tensor) -> Tensor:
        """[B, 48, h, w] to tokens [B, V, width]."""
        weight = self.patch_embedding.weight[:, :, 0]
        return F.conv2d(latents, weight, self.patch_embedding.bias, stride=PATCH).flatten(2).transpose(1, 2)


class ActionExpert(Expert):
    def __init__(self, config: ModelConfig):
        super().__init__(config, config.action_hidden, config.action_ffn)
        self.action_encoder = nn.Linear(config.action_dim, config.action_hidden)
        self.head = nn.Linear(config.action_hidden, config.action_dim)
        turn = rotations(config.head_dim, config.horizon).to(torch.complex64)
        self.register_buffer("turn", turn, persistent=False)


class Mixture(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.mixtures = nn.ModuleDict({"video": VideoExpert(config), "action": ActionExpert(config)})


Seen = list[tuple[Tensor, Tensor]]


class FastWam(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.mot = Mixture(config)
        self.proprio_encoder = nn.Linear(config.proprio_dim, config.text_dim) if config.proprio_dim else None
        self.vae = Vae(config.vae_dim)

    @property
    def video(self) -> VideoExpert:
        return self.mot.mixtures["video"]

    @property
    def action(self) -> ActionExpert:
        return self.mot.mixtures["action"]

    def context(self, text: Tensor, proprio: Tensor | None) -> Tensor:
        """text [B, n, text_dim] and normalised proprio [B, p] to the context [B, C, text_dim]."""
        if self.proprio_encoder is None:
            return text
        return torch.cat([text, self.proprio_encoder(proprio)[:, None]], 1)

    def prefill(self, latents: Tensor, context: Tensor) -> tuple[Seen, Tensor]:
        """Keys and values of the video tokens in each layer, and the tokens [B, V, width] after the last."""
        video = self.video
        x = video.embed(latents)
        context = video.text_embedding(context)
        time = video.time(latents.new_zeros(1))
        seen: Seen = []
        for block in video.blocks:
            x, own = block(x, time, context, video.turn)
            seen.append(own)
        return seen, x

    def velocity(self, x: Tensor, timesteps: Tensor, context: Tensor, seen: Seen) -> Tensor:
        """
        Predicted noise - action. x [R*B, T, a], draw after draw; timesteps [R*B] or [1]; context [B, C, text_dim].
        """
        return self.action.head(self.stack(self.action.action_encoder(x), timesteps, self.embed_context(context), seen))

    def embed_context(self, context: Tensor) -> Tensor:
        """What the action blocks attend to; the same in every step of a chunk."""
        return self.action.text_embedding(context)

    def stack(self, h: Tensor, timesteps: Tensor, embedded: Tensor, seen: Seen) -> Tensor:
        """The action blocks: h_0 [R*B, T, width] to h_L."""
        time = self.action.time(timesteps)
        for block, video in zip(self.action.blocks, seen):
            h, _ = block(h, time, embedded, self.action.turn, video)
        return h
