"""The chunk that is timed is the one that the original computes."""

import tempfile
import unittest
from pathlib import Path

import torch
from safetensors.torch import load_file

from fastwam_tiny.config import ModelConfig
from fastwam_tiny.peer import own

from .test_model import FIXTURES, load_fixture


class Peer(unittest.TestCase):
    def test_chunk_is_the_golden_one(self):
        folder = FIXTURES / "robotwin_micro"
        golden = load_file(folder / "episode.safetensors")
        config: ModelConfig = load_fixture(folder).config
        proprio = golden["proprio"][0][None] if "proprio" in golden else None
        frame = golden["images"][0].permute(2, 0, 1)[None].float() * (2 / 255) - 1
        with torch.inference_mode():
            actions = own(config, folder, compiled=False)(frame, golden["context"][None], proprio)
        error = ((actions - golden["chunk0.action"]).norm() / golden["chunk0.action"].norm()).item()
        self.assertLess(error, 1e-5)

    def test_a_checkpoint_that_lacks_a_weight_is_refused(self):
        folder = FIXTURES / "robotwin_micro"
        config = load_fixture(folder).config
        payload = torch.load(folder / "fastwam.pt")
        del payload["mot"]["mixtures.action.blocks.0.self_attn.q.weight"]
        with tempfile.TemporaryDirectory() as name:
            torch.save(payload, Path(name, "fastwam.pt"))
            Path(name, "vae_encoder.pth").write_bytes((folder / "vae_encoder.pth").read_bytes())
            with self.assertRaisesRegex(ValueError, "self_attn.q.weight"):
                own(config, Path(name), compiled=False)


if __name__ == "__main__":
    unittest.main()
