import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MANIFEST_FILE } from '../../src/bundle/Bundle';
import { auditText } from '../../src/cli/audit';
import { audit } from '../../src/export/audit';
import { bfloat16ToFloats } from '../../src/formats/halfPrecision';
import { textContextFileName, writeTextContext } from '../../src/formats/textContext';
import { FIXTURES, removeFolders } from '../helpers';
import { LEGACY, PolicyFolder } from './lerobot/policyFolder';

afterAll(removeFolders);

const ids = (path: string, options = {}): string[] => audit(path, options).findings.map(({ id }) => id);
const policy = (): PolicyFolder => new PolicyFolder();

describe('an audit of a LeRobot policy', () => {
  it.each<[string, string, () => PolicyFolder]>([
    [
      'pictures that are normalised twice',
      'double-image-normalisation',
      () => new PolicyFolder(join(LEGACY, 'mean_std')),
    ],
    ['a shift of 1', 'shift-1', () => policy().config({ sigma_shift: 1 })],
    ['cameras in another order than the policy’s', 'camera-order', policy],
    ['a constant state', 'constant-state', policy],
    ['LIBERO’s turned pictures', 'libero-rotation', policy],
    ['another prompt', 'prompt-template', () => policy().config({ prompt_template: 'do {task}' })],
    ['toggles that differ', 'gripper-toggle', () => policy().config({ toggle_action_dimensions: [0] })],
    [
      'normalisations that differ',
      'normalisation-differs',
      () => policy().config({ normalization_mapping: { STATE: 'MIN_MAX' } }),
    ],
    ['a chunk that is executed whole', 'open-loop-chunk', () => policy().config({ n_action_steps: 32 })],
    ['another type than the weights’', 'stored-type', () => policy().config({ torch_dtype: 'float32' })],
    ['a context of another length', 'context-length', () => policy().config({ tokenizer_max_len: 64 })],
    ['no seed', 'no-seed', () => policy().config({ inference_seed: null })],
    ['noise of a GPU', 'noise-of-a-device', () => policy().config({ rand_device: 'cuda' })],
    [
      'a renamed camera',
      'renamed-cameras',
      () =>
        policy().step('pre', 'rename_observations_processor', {
          rename_map: { 'observation.images.top': 'observation.images.front' },
        }),
    ],
    [
      'a camera renamed to nothing',
      'rename-to-nothing',
      () =>
        policy().step('pre', 'rename_observations_processor', {
          rename_map: { 'observation.images.top': 'observation.images.front2' },
        }),
    ],
    [
      'tensors that nobody reads',
      'unused-tensors',
      () =>
        policy().tensors('model.safetensors', (all) => [
          ...all,
          { name: 'model.vae.encoder.conv1.bias', dtype: 'F32', shape: [1], data: new Float32Array(1) },
        ]),
    ],
    ['a missing tensor', 'refused', () => policy().tensors('model.safetensors', (all) => all.slice(1))],
    ['adapters', 'refused', () => policy().config({ use_peft: true })],
  ])('finds %s', (_, id, make) => {
    expect(ids(make().path)).toContain(id);
  });

  it('finds a range that a few frames decide', () => {
    const folder = policy();
    folder.tensors(folder.stateFile('post'), (all) =>
      all.map((tensor) =>
        tensor.name === 'action.max' ? { ...tensor, data: new Float32Array(7).fill(1000) } : tensor,
      ),
    );
    expect(ids(folder.path)).toContain('outliers');
  });

  it('says that float32 weights, which LeRobot would round, are not rounded', () => {
    const wide = policy().tensors('model.safetensors', (all) =>
      all.map(({ name, shape, data }) => {
        const patterns = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
        return { name, shape, dtype: 'F32', data: bfloat16ToFloats(patterns) };
      }),
    );
    const { findings } = audit(wide.path);
    expect(findings.find(({ id }) => id === 'stored-type')).toMatchObject({
      finding: 'the weights are stored as F32, torch_dtype says bfloat16',
      effect: expect.stringMatching(
        /the weights, which LeRobot rounds .* are used as they are stored/,
      ) as string,
    });
  });

  it('says nothing of what is in order', () => {
    expect(ids(policy().path, { config: 'libero' })).toEqual(['camera-order', 'constant-state']);
  });
});

describe('an audit of a bundle', () => {
  const bundle = (change: (manifest: { actions: object; version: number }) => void): string => {
    const out = policy().export();
    const path = join(out, MANIFEST_FILE);
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { actions: object; version: number };
    change(manifest);
    writeFileSync(path, JSON.stringify(manifest));
    return out;
  };

  it('finds missing limits, contexts and hashes', () => {
    expect(ids(bundle(() => undefined))).toEqual(
      expect.arrayContaining(['no-limits', 'no-contexts', 'no-hashes']),
    );
  });

  it('finds actions beyond the limits', () => {
    const narrow = bundle(({ actions }) =>
      Object.assign(actions, { limits: { min: new Array(7).fill(-0.001), max: new Array(7).fill(0.001) } }),
    );
    expect(ids(narrow)).toContain('actions-beyond-limits');
  });

  it('finds contexts of another encoder', () => {
    const out = policy().export();
    cpSync(join(FIXTURES, 'libero_micro', 'text_embeds'), join(out, 'text_embeds'), { recursive: true });
    expect(ids(out)).toContain('context-of-another-encoder');
  });

  it('finds a range that a few frames decide, in the statistics beside its weights', () => {
    const folder = policy();
    folder.tensors(folder.stateFile('post'), (all) =>
      all.map((tensor) =>
        tensor.name === 'action.max' ? { ...tensor, data: new Float32Array(7).fill(1000) } : tensor,
      ),
    );
    expect(ids(folder.export())).toContain('outliers');
    expect(ids(policy().export())).not.toContain('outliers');
  });

  it('finds a context whose values are of another size than the others’', () => {
    const out = policy().export();
    const context = (task: string, value: number): void =>
      writeTextContext(join(out, 'text_embeds', textContextFileName(task, 96)), {
        ...{ tokens: 96, dim: 40, encoder: 'ab' },
        rows: new Float32Array(400).fill(value),
      });
    context('a', 0.3);
    context('b', 0.5);
    expect(ids(out)).not.toContain('context-of-another-encoder');
    context('c', 30);
    const { findings } = audit(out);
    expect(findings.filter(({ id }) => id === 'context-of-another-encoder')).toMatchObject([
      { finding: expect.stringMatching(/values are 60 times larger than the others’/) as string },
    ]);
  });

  it('finds one that cannot be opened, and goes on', () => {
    const { findings } = audit(bundle((manifest) => Object.assign(manifest, { version: 99 })));
    expect(findings).toMatchObject([
      { id: 'refused', level: 'refused', finding: expect.stringContaining('bundle version 99') as string },
    ]);
  });
});

describe('an audit of a checkpoint', () => {
  const source = join(FIXTURES, 'libero_micro');
  it('asks for what stands in no weight', () => {
    expect(ids(join(source, 'fastwam.pt'))).toEqual(['no-configuration', 'no-statistics']);
    expect(ids(join(source, 'fastwam.pt'), { config: join(source, 'config.json') })).toEqual([
      'no-statistics',
    ]);
  });

  it('finds a configuration of other sizes', () => {
    const { findings } = audit(join(source, 'fastwam.pt'), { config: 'robotwin' });
    expect(findings[0]).toMatchObject({
      level: 'refused',
      finding: expect.stringMatching(/head_dim|configuration says/) as string,
    });
  });
});

it('every finding is shown with where, what it does and what to do, the worst first', () => {
  const text = auditText(audit(policy().config({ use_peft: true }).path));
  expect(text).toMatch(/^LeRobot policy .*: 1 refused, 0 warnings, 0 notes/);
  expect(text).toMatch(
    /refused {2}.*use_peft is true.*\[refused\]\n {2}where .*\n {2}what it does .*\n {2}what to do /,
  );
});

it('every finding stands in the reference', () => {
  const reference = readFileSync('docs/reference/audit-findings.md', 'utf8');
  const sources = readdirSync('src/export', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join('src/export', file), 'utf8'))
    .join('\n');
  const found = new Set(
    [...sources.matchAll(/id: '([a-z0-9-]+)'|'((?:constant|no)-[a-z]+)'/g)].map(
      (match) => match[1] ?? match[2],
    ),
  );
  expect(found.size).toBeGreaterThan(20);
  for (const id of found) expect(reference, id).toContain(`\`${id}\``);
});
