import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { FileFormatError, UsageError } from '../errors';
import { LATENT_MEAN, LATENT_STD } from '../graphs/vaeEncoder';
import { quoted } from '../words/quoted';
import { readJson } from './lerobot/readJson';

const schema = z.object({
  _class_name: z.string().optional(),
  z_dim: z.number().optional(),
  is_residual: z.boolean().optional(),
  patch_size: z.number().nullish(),
  latents_mean: z.array(z.number()).optional(),
  latents_std: z.array(z.number()).optional(),
});

/**
 * Checks the `config.json` that Diffusers keeps beside a VAE, if there is one: Wan 2.2's has 48 latent channels with fixed statistics.
 * @throws UsageError where there is no such file or folder, FileFormatError for another VAE
 */
export function checkVaeConfig(vae: string): void {
  if (!existsSync(vae)) throw new UsageError(`--vae ${vae}: no such file or folder`);
  const folder = statSync(vae).isDirectory() ? vae : dirname(vae);
  const path = [join(folder, 'vae', 'config.json'), join(folder, 'config.json')].find((p) => existsSync(p));
  if (path === undefined) return;
  if (readJson(path, z.object({ _class_name: z.unknown().optional() }))._class_name === undefined) return;
  const config = readJson(path, schema);
  const refuse = (problem: string): never => {
    throw new FileFormatError(path, `${problem}; the VAE of Wan 2.2 (Wan-AI/Wan2.2-TI2V-5B) is needed`);
  };
  if (config._class_name !== 'AutoencoderKLWan') refuse(`is of a ${quoted(config._class_name ?? '')}`);
  if (config.z_dim !== undefined && config.z_dim !== 48) {
    refuse(`has ${config.z_dim} latent channels (z_dim), expected 48: it is Wan 2.1's`);
  }
  if (config.is_residual === false) refuse('is_residual is false: it is Wan 2.1’s');
  const same = (a: readonly number[] | undefined, b: readonly number[]): boolean =>
    a === undefined || (a.length === b.length && a.every((x, i) => Math.abs(x - (b[i] ?? NaN)) < 1e-6));
  if (!same(config.latents_mean, LATENT_MEAN)) refuse('latents_mean is not that of Wan 2.2');
  if (!same(config.latents_std, LATENT_STD)) refuse('latents_std is not that of Wan 2.2');
}
