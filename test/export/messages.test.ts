import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { TemporaryFolder } from '../../src/TemporaryFolder';
import { Bundle } from '../../src/bundle/Bundle';
import { exportBundle } from '../../src/export/exportBundle';
import { instructionsBeside } from '../../src/export/instructionsBeside';
import { readModelConfig } from '../../src/export/modelConfig';
import { FIXTURES, goldenCase, removeFolders, temporaryFolder } from '../helpers';
import { exportTabletopCheckpoint } from '../tabletop';

/* What somebody is told who does something for the first time. */

const MICRO = join(FIXTURES, 'libero_micro');
const micro = {
  checkpoint: join(MICRO, 'fastwam.pt'),
  vae: join(MICRO, 'vae_encoder.pth'),
  textEmbeds: join(MICRO, 'text_embeds'),
};

afterAll(removeFolders);
afterEach(() => vi.unstubAllEnvs());

describe('an export', () => {
  it('that knows no configuration asks for one, and names the ones there are', () => {
    expect(() => exportBundle({ ...micro, out: temporaryFolder() })).toThrow(
      'the default configuration lacks heads (or head_dim), which weights do not say; give --config libero, --config robotwin, or a file',
    );
  });

  it('says which configuration does not fit', () => {
    expect(() => exportBundle({ ...micro, config: 'libero', out: temporaryFolder() })).toThrow(
      /--config libero says heads × head_dim = 24 × 128; is it the configuration of this checkpoint\?/,
    );
  });

  it('names the VAE where that is the file that does not fit', () => {
    const config = join(MICRO, 'config.json');
    const vae = join(FIXTURES, '..', '..', 'bundles', 'tabletop', 'checkpoint', 'vae_encoder.pth');
    expect(() => exportBundle({ ...micro, vae, config, out: temporaryFolder() })).toThrow(
      /tabletop.checkpoint.vae_encoder\.pth: has vae_dim 8, but --config .*config\.json says/,
    );
  });

  it('names the configuration that was most likely meant', () => {
    expect(() => readModelConfig('libreo')).toThrow(
      '--config libreo: no such file, and no configuration of that name; did you mean libero? (built in are libero, robotwin)',
    );
  });

  it('takes the instructions that lie beside the checkpoint', () => {
    const folder = temporaryFolder();
    const checkpoint = join(folder, 'fastwam.pt');
    mkdirSync(join(folder, 'text_embeds'));
    copyFileSync(micro.checkpoint, checkpoint);
    expect(instructionsBeside([checkpoint, undefined, join(folder, 'text_embeds')])).toBeUndefined();
    writeFileSync(join(folder, 'instructions.txt'), 'pick up the cup\n');
    expect(instructionsBeside([checkpoint])).toBe(join(folder, 'instructions.txt'));
    expect(instructionsBeside([join(folder, 'text_embeds')])).toBe(join(folder, 'instructions.txt'));
    expect(instructionsBeside([folder])).toBe(join(folder, 'instructions.txt'));
  });

  it('calls actions normalised exactly where no statistics turn them back', () => {
    const { bundle } = goldenCase('libero_micro'); // exported without --stats
    expect(new Set(bundle.manifest.actions.items.map(({ unit }) => unit))).toEqual(new Set(['normalised']));
    expect(new Set(bundle.manifest.proprio.units)).toEqual(new Set(['normalised']));
    // The table-top checkpoint has statistics; without --robot nobody says a unit.
    const { manifest } = Bundle.open(exportTabletopCheckpoint());
    expect(new Set(manifest.actions.items.map(({ unit }) => unit))).toEqual(new Set(['']));
  });
});

describe('an instruction that is nearly known', () => {
  it.each([
    ['a final dot', (task: string) => `${task}.`],
    ['a capital', (task: string) => task.charAt(0).toUpperCase() + task.slice(1)],
    ['spaces', (task: string) => `  ${task.replace(' ', '  ')} `],
  ])('but for %s is told, also where the texts are not recorded', (_, change) => {
    const { bundle, task } = goldenCase('libero_micro');
    expect(bundle.manifest.instructions).toEqual([]);
    expect(bundle.unknownTask(change(task))).toContain(`every character counts; the bundle knows "${task}"`);
    expect(bundle.unknownTask('juggle')).not.toContain('the bundle knows');
  });
});

describe('a bundle that was moved away from its checkpoint', () => {
  it('says so, and what to do', () => {
    const { folder } = goldenCase('libero_micro');
    const elsewhere = join(temporaryFolder(), 'elsewhere', 'bundle');
    mkdirSync(elsewhere, { recursive: true });
    copyFileSync(join(folder, 'bundle.json'), join(elsewhere, 'bundle.json'));
    expect(() => Bundle.open(elsewhere)).toThrow(
      /which does not exist.*export it again, or with --self-contained/,
    );
  });
});

describe('a temporary folder', () => {
  it('that cannot be made is explained', () => {
    const gone = join(temporaryFolder(), 'gone');
    mkdirSync(gone);
    vi.stubEnv('TMPDIR', gone);
    expect(tmpdir()).toBe(gone);
    rmSync(gone, { recursive: true });
    expect(() => new TemporaryFolder('test')).toThrow(
      /gone: no temporary folder can be made there .*set TMPDIR/,
    );
  });
});
