import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Bundle } from '../bundle/Bundle';
import { messageOf } from '../errors';
import { section } from './types';
import type { Finding, FindingParts } from './types';

/** The models that come with the project: each a bundle, or the checkpoint from which its first use makes one. */
export function examineBundledModels(folder = resolve(__dirname, '..', '..', 'bundles')): Finding[] {
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const findings = names.map((name) => examineModel(name, join(folder, name)));
  if (findings.length > 0) return section('model', findings);
  return section('model', [
    {
      name: 'bundled model',
      state: 'missing',
      text: `there is none in ${folder}`,
      remedy: 'check the folder `bundles` out again, or name a model of your own with --bundle',
    },
  ]);
}

function examineModel(name: string, folder: string): FindingParts {
  if (existsSync(join(folder, 'bundle.json'))) {
    try {
      const { steps } = Bundle.open(folder).schedule;
      return { name, state: 'ok', text: `bundle of ${steps} steps, ${folder}` };
    } catch (error) {
      return { name, state: 'problem', text: messageOf(error), remedy: 'export it again: `fastwam export`' };
    }
  }
  const files = ['fastwam.pt', 'vae_encoder.pth', 'text_embeds', 'config.json'];
  const gone = files.filter((file) => !existsSync(join(folder, 'checkpoint', file)));
  if (gone.length === 0)
    return { name, state: 'ok', text: `checkpoint, exported at its first use, ${folder}` };
  return {
    name,
    state: 'problem',
    text: `${folder}/checkpoint lacks ${gone.join(', ')}`,
    remedy: 'check the folder `bundles` out again',
  };
}
