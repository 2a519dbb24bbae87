"""The model definition against golden vectors that the original code computed."""

import json
import unittest
from pathlib import Path

import torch
from safetensors.torch import load_file

from fastwam_tiny.config import ModelConfig
from fastwam_tiny.flow import episode_noise, schedule
from fastwam_tiny.model import FastWam

FIXTURES = Path(__file__).parents[2] / "test" / "fixtures"


def load_fixture(folder: Path) -> FastWam:
    model = FastWam(ModelConfig.from_json(json.loads((folder / "config.json").read_text())))
    payload = torch.load(folder / "fastwam.pt")
    model.mot.load_state_dict(payload["mot"])
    if model.proprio_encoder is not None:
        model.proprio_encoder.load_state_dict(payload["proprio_encoder"])
    model.vae.load_state_dict(torch.load(folder / "vae_encoder.pth"))
    return model.float().eval()


class GoldenVectors(unittest.TestCase):
    def assert_close(self, ours: torch.Tensor, theirs: torch.Tensor, what: str) -> None:
        error = ((ours - theirs).norm() / theirs.norm()).item()
        self.assertLess(error, 1e-5, what)

    def check(self, folder: Path) -> None:
        model, golden = load_fixture(folder), load_file(folder / "episode.safetensors")
        config = model.config
        timesteps, deltas = schedule(config.steps, config.shift)
        self.assert_close(timesteps, golden["timesteps"], "timesteps")
        self.assert_close(deltas, golden["deltas"], "deltas")
        with torch.no_grad():
            for chunk, image in enumerate(golden["images"]):
                frame = image.permute(2, 0, 1)[None].float() * (2 / 255) - 1
                latents = model.vae(frame)
                self.assert_close(latents[0], golden[f"chunk{chunk}.latents"][:, 0], f"latents of chunk {chunk}")
                proprio = golden["proprio"][chunk][None] if "proprio" in golden else None
                context = model.context(golden["context"][None], proprio)
                seen, _ = model.prefill(latents, context)
                if chunk == 0:
                    for layer, (k, v) in enumerate(seen):
                        self.assert_close(k.transpose(1, 2).flatten(2)[0], golden[f"chunk0.k{layer}"], f"k{layer}")
                        self.assert_close(v.transpose(1, 2).flatten(2)[0], golden[f"chunk0.v{layer}"], f"v{layer}")
                x = golden["noise"][chunk][None]
                for step, (timestep, delta) in enumerate(zip(timesteps, deltas)):
                    v = model.velocity(x, timestep[None], context, seen)
                    self.assert_close(v[0], golden[f"chunk{chunk}.v"][step], f"velocity {step} of chunk {chunk}")
                    x = x + delta * v
                self.assert_close(x[0], golden[f"chunk{chunk}.action"], f"action of chunk {chunk}")

    def test_libero_micro(self):
        self.check(FIXTURES / "libero_micro")

    def test_robotwin_micro(self):
        self.check(FIXTURES / "robotwin_micro")

    def test_noise_is_the_public_evaluation_s(self):
        golden = load_file(FIXTURES / "robotwin_micro" / "episode.safetensors")["noise"][0]
        self.assertTrue(torch.equal(episode_noise(42, *golden.shape)[0], golden))


class Batching(unittest.TestCase):
    def test_draws_of_one_frame_do_not_mix(self):
        torch.manual_seed(0)
        model = FastWam(ModelConfig()).eval()
        frames, text, proprio = torch.rand(2, 3, 64, 128) * 2 - 1, torch.randn(2, 8, 64), torch.randn(2, 3)
        x, t = torch.randn(6, 32, 3), torch.rand(6) * 1000
        with torch.no_grad():
            context = model.context(text, proprio)
            together = model.velocity(x, t, context, model.prefill(model.vae(frames), context)[0])
            for row in range(6):
                frame = slice(row % 2, row % 2 + 1)
                context = model.context(text[frame], proprio[frame])
                seen, _ = model.prefill(model.vae(frames[frame]), context)
                alone = model.velocity(x[row : row + 1], t[row : row + 1], context, seen)
                torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-5)

    def test_fused_norm_has_the_gradient_of_its_parts(self):
        torch.manual_seed(0)
        from fastwam_tiny.model import ChannelNorm

        norm = ChannelNorm(5).double()
        torch.nn.init.normal_(norm.gamma)
        x = torch.randn(2, 5, 3, 4, dtype=torch.float64, requires_grad=True)
        out = torch.randn(2, 5, 3, 4, dtype=torch.float64)
        fused = torch.autograd.grad((norm.then_silu(x) * out).sum(), (x, norm.gamma))
        plain = torch.autograd.grad((torch.nn.functional.silu(norm(x)) * out).sum(), (x, norm.gamma))
        for ours, reference in zip(fused, plain):
            torch.testing.assert_close(ours, reference, rtol=1e-9, atol=1e-12)


if __name__ == "__main__":
    unittest.main()
