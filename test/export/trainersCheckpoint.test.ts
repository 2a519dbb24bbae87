import {
  cpSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { policyTensors } from '../../src/bundle/checkpointFiles';
import { recordHashes, verifyFiles } from '../../src/bundle/recordHashes';
import { hashInBackground } from '../../src/cli/hashWeights';
import { FileFormatError } from '../../src/errors';
import { exportBundle } from '../../src/export/exportBundle';
import type { ExportOptions } from '../../src/export/exportBundle';
import { readBytes } from '../../src/formats/readTensor';
import { headerBytes, writeSafetensors } from '../../src/formats/safetensors';
import { writeAtomically } from '../../src/formats/writeAtomically';
import { TensorContent, writeTorchFile } from '../../src/formats/torchWriter';
import type { TorchContent } from '../../src/formats/torchWriter';
import { FastWamModel } from '../../src/model/FastWamModel';
import { tryWeights } from '../../src/model/tryWeights';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { Episode } from '../../src/policy/Episode';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import { FIXTURES, removeFolders, temporaryFolder } from '../helpers';

const SOURCE = join(FIXTURES, 'libero_micro');
const TASK = 'pick up the red block';
const OPTIONS = {
  checkpoint: join(SOURCE, 'fastwam.pt'),
  vae: join(SOURCE, 'vae_encoder.pth'),
  textEmbeds: join(SOURCE, 'text_embeds'),
  config: join(SOURCE, 'config.json'),
};
const exported = (more: Partial<ExportOptions> = {}): Bundle => {
  const out = temporaryFolder();
  exportBundle({ ...OPTIONS, ...more, out });
  return Bundle.open(out);
};

afterAll(removeFolders);

type Names = Map<string, TensorContent>;

describe('what training code leaves', () => {
  const mot: Names = new Map();
  const proprio: Names = new Map();
  const renamed = (names: Names, change: (name: string) => string): Names =>
    new Map([...names].map(([name, content]) => [change(name), content]));
  const flat = (prefix = ''): Names =>
    new Map([
      ...renamed(mot, (name) => `${prefix}mot.${name}`),
      ...renamed(proprio, (name) => `${prefix}proprio_encoder.${name}`),
    ]);

  beforeAll(() => {
    for (const [name, tensor] of policyTensors(OPTIONS.checkpoint).tensors) {
      const content = new TensorContent(tensor.dtype, tensor.shape, () => [readBytes(tensor)]);
      if (name.startsWith('proprio_encoder.')) proprio.set(name.slice(16), content);
      else mot.set(name, content);
    }
  });

  it.each<[string, () => TorchContent, RegExp | undefined]>([
    [
      'of data-parallel training',
      () => ({ mot: renamed(mot, (n) => `module.${n}`), proprio_encoder: proprio }),
      /left "module\." out of/,
    ],
    [
      'compiled',
      () => ({ mot: renamed(mot, (n) => `_orig_mod.${n}`), proprio_encoder: proprio }),
      /left "_orig_mod\." out of/,
    ],
    [
      'compiled block by block',
      () => ({
        mot: renamed(mot, (n) => n.replace(/blocks\.(\d+)/, 'blocks.$1._orig_mod')),
        proprio_encoder: proprio,
      }),
      /left "_orig_mod\." out of/,
    ],
    [
      'both, the other way round',
      () => ({ mot: renamed(mot, (n) => `_orig_mod.module.${n}`), proprio_encoder: proprio }),
      /left "module\." out of/,
    ],
    ['in a wrapper', () => ({ model: { mot, proprio_encoder: proprio }, epoch: 3 }), /left "model\." out of/],
    ['flat', () => flat(), undefined],
    ['flat in a wrapper', () => ({ state_dict: flat() }), /left "state_dict\." out of/],
    ['of DeepSpeed', () => ({ module: flat(), global_steps: 3 }), /left "module\." out of/],
    ['with a moving average alone', () => ({ ema: flat('module.') }), /the moving average/],
    [
      'with the optimizer’s state',
      () => ({
        mot,
        proprio_encoder: proprio,
        optimizer: { state: { exp_avg: flat() }, param_groups: [{ lr: 1e-4 }] },
      }),
      undefined,
    ],
    [
      'with a table beside the weights',
      () => ({
        mot: new Map([
          ...mot,
          ['mixtures.video.freqs', new TensorContent('F32', [4], () => [new Float32Array(4)])],
        ]),
        proprio_encoder: proprio,
      }),
      undefined,
    ],
  ])('is read: %s', (_, content, note) => {
    const checkpoint = join(temporaryFolder(), 'checkpoint.pt');
    writeTorchFile(checkpoint, content());
    const { notes, manifest } = exportBundle({ ...OPTIONS, checkpoint, out: temporaryFolder() });
    expect(manifest.dimensions.layers).toBe(3);
    if (note) expect(notes.join('\n')).toMatch(note);
    const tensors = policyTensors(checkpoint).tensors;
    const expected = policyTensors(OPTIONS.checkpoint).tensors;
    for (const [name, tensor] of expected) expect(readBytes(tensors.get(name)!)).toEqual(readBytes(tensor));
  });

  it('in shards is read from its folder or by its index', () => {
    const folder = temporaryFolder();
    const all = [...policyTensors(OPTIONS.checkpoint).tensors.values()];
    const map: Record<string, string> = {};
    for (const i of [0, 1]) {
      const name = `model-0000${i + 1}-of-00002.safetensors`;
      const part = all.filter((_, t) => t % 2 === i);
      writeSafetensors(
        join(folder, name),
        part.map((t) => ({ name: t.name, dtype: t.dtype, shape: t.shape, data: readBytes(t) })),
      );
      for (const tensor of part) map[tensor.name] = name;
    }
    const index = join(folder, 'model.safetensors.index.json');
    writeFileSync(index, JSON.stringify({ weight_map: map }));
    for (const checkpoint of [folder, index]) {
      expect(exported({ checkpoint }).manifest.weights.policy.shards).toHaveLength(1);
    }
  });

  it('that does not fit is answered with the nearest names that are there', () => {
    const checkpoint = join(temporaryFolder(), 'checkpoint.pt');
    writeTorchFile(checkpoint, {
      mot: renamed(mot, (n) => n.replace('blocks.1.ffn.0', 'blocks.1.feed_forward.0')),
      proprio_encoder: proprio,
    });
    expect(() => exported({ checkpoint })).toThrow(
      /lacks tensor mixtures\.video\.blocks\.1\.ffn\.0\.weight .* and 3 more; the nearest that it has: "mixtures\.(video|action)\.blocks\..*\.weight"/,
    );
  });

  it('through a cache of symbolic links is found where it really lies, and onnxruntime takes it', async () => {
    const cache = temporaryFolder();
    const snapshot = join(cache, 'snapshots', '0a1b2c');
    mkdirSync(join(cache, 'blobs'));
    mkdirSync(snapshot, { recursive: true });
    const link = (from: string, name: string): string => {
      copyFileSync(from, join(cache, 'blobs', `blob-${name}`));
      symlinkSync(`../../blobs/blob-${name}`, join(snapshot, name));
      return join(snapshot, name);
    };
    const bundle = exported({
      checkpoint: link(OPTIONS.checkpoint, 'fastwam.pt'),
      vae: link(OPTIONS.vae, 'vae_encoder.pth'),
    });
    expect(bundle.weightFiles().map(({ path }) => path)).toEqual([
      join(cache, 'blobs', 'blob-fastwam.pt'),
      join(cache, 'blobs', 'blob-vae_encoder.pth'),
    ]);
    await tryWeights(bundle);
  });
});

describe('damaged weights', () => {
  it('are refused by the file’s own check sums at export', () => {
    const checkpoint = join(temporaryFolder(), 'fastwam.pt');
    copyFileSync(OPTIONS.checkpoint, checkpoint);
    const tensor = policyTensors(checkpoint).tensors.get('mixtures.action.head.weight')!;
    const bytes = readFileSync(checkpoint);
    bytes[tensor.offset + 3] = bytes[tensor.offset + 3]! ^ 0x40;
    writeFileSync(checkpoint, bytes);
    expect(() => exported({ checkpoint })).toThrow(
      /the zip entry ".*data\/\d+" is damaged: its check sum \(CRC-32\) differs/,
    );
  });

  it('are refused where the directory leads to another tensor', () => {
    const checkpoint = join(temporaryFolder(), 'fastwam.pt');
    const bytes = readFileSync(OPTIONS.checkpoint);
    // Two entries of the directory change places: the offsets of their local headers.
    const places: number[] = [];
    for (
      let at = bytes.indexOf('PK\x01\x02', 0, 'latin1');
      at >= 0;
      at = bytes.indexOf('PK\x01\x02', at + 4, 'latin1')
    ) {
      const name = bytes.toString('latin1', at + 46, at + 46 + bytes.readUInt16LE(at + 28));
      if (/data\/(0|4)$/.test(name)) places.push(at + 42);
    }
    const [first, second] = places as [number, number];
    bytes.writeUInt32LE(bytes.readUInt32LE(first), second);
    writeFileSync(checkpoint, bytes);
    expect(() => exported({ checkpoint })).toThrow(
      /the directory says that the zip entry ".*data\/4" begins at byte \d+, but another entry does/,
    );
  });

  it('are found by comparing with the recorded hashes', async () => {
    const folder = temporaryFolder();
    cpSync(SOURCE, folder, { recursive: true });
    const bundle = exported({ checkpoint: join(folder, 'fastwam.pt') });
    const verdicts = async (): Promise<string[]> =>
      (await verifyFiles(Bundle.describe(bundle.folder))).map(({ verdict }) => verdict);
    expect(new Set(await verdicts())).toEqual(new Set(['unrecorded']));
    await recordHashes(bundle);
    expect(new Set(await verdicts())).toEqual(new Set(['same']));
    const bytes = readFileSync(join(folder, 'fastwam.pt'));
    bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1;
    writeFileSync(join(folder, 'fastwam.pt'), bytes);
    writeFileSync(bundle.graphPath('expert'), 'other');
    expect(await verdicts()).toEqual(['differs', 'same', 'same', 'same', 'same', 'differs']);
  });

  it('are hashed by a process of its own where they are large, and the command does not wait', async () => {
    const bundle = exported();
    await hashInBackground(bundle, 0);
    const recorded = (): string | undefined => Bundle.describe(bundle.folder).manifest.weights.policy.sha256;
    expect(recorded()).toBeUndefined();
    await vi.waitFor(() => expect(recorded()).toMatch(/^[0-9a-f]{64}$/), { timeout: 100_000, interval: 200 });
    const verified = await verifyFiles(Bundle.describe(bundle.folder));
    expect(new Set(verified.map(({ verdict }) => verdict))).toEqual(new Set(['same']));
  }, 120_000);

  it('have no hash recorded of other content than was exported', async () => {
    const folder = temporaryFolder();
    cpSync(SOURCE, folder, { recursive: true });
    const checkpoint = join(folder, 'fastwam.pt');
    const bundle = exported({ checkpoint });
    const bytes = readFileSync(checkpoint);
    bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1;
    writeFileSync(checkpoint, bytes);
    await expect(recordHashes(bundle)).rejects.toThrow(
      /fastwam\.pt: is not the file that .* so its hash is not recorded/,
    );
    const removed = exported();
    const remove = (): void => rmSync(removed.folder, { recursive: true, force: true });
    await expect(recordHashes(removed, remove)).rejects.toThrow(
      /bundle\.json: was removed while its weights were hashed/,
    );
  });
});

describe('weights that change under a running model', () => {
  const changes: [string, (path: string) => void, RegExp][] = [
    [
      'cut to nothing',
      (path) => truncateSync(path),
      /was cut from \d+ to 0 bytes while the model was loaded from it/,
    ],
    [
      'written to',
      (path) => {
        const bytes = readFileSync(path);
        writeFileSync(path, Buffer.concat([bytes, Buffer.of(0)]));
      },
      /was written to/,
    ],
  ];
  it.each(changes)(
    'are noticed before the next chunk, and the process lives: %s',
    async (_, change, sentence) => {
      const folder = temporaryFolder();
      cpSync(SOURCE, folder, { recursive: true });
      const bundle = exported({
        checkpoint: join(folder, 'fastwam.pt'),
        vae: join(folder, 'vae_encoder.pth'),
      });
      const inputs = new RecordedInputs(join(SOURCE, 'episode.safetensors'), bundle);
      const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 });
      const episode = new Episode(model);
      const settings = { policy: 'none', values: {}, companions: {}, noise: 'fixed', seed: 42 } as const;
      await episode.infer(inputs.observation(0, TASK), settings);
      change(join(folder, 'fastwam.pt'));
      const next = episode.infer(inputs.observation(1, TASK), settings);
      await expect(next).rejects.toThrow(sentence);
      await expect(next).rejects.toThrow(FileFormatError);
      // What is loaded of a small file is a copy: computing on would not end the process.
      await model.encode(new Uint8Array(bundle.dimensions.height * bundle.dimensions.width * 3));
      await model.release();
    },
  );

  it.each(['stack', 'block'] as const)(
    'are not mapped even where they are too large to copy and need no conversion, and compute the same: %s',
    async (grain) => {
      const small = exported();
      const checkpoint = join(temporaryFolder(), 'fastwam.safetensors');
      const tensors = [...small.policyWeights.tensors.values()];
      expect(new Set(tensors.map(({ dtype }) => dtype))).toEqual(new Set(['F32']));
      const buffer = { name: 'buffer', dtype: 'F32', shape: [2 ** 26 + 1] } as const;
      writeAtomically(checkpoint, (sink) => {
        sink.write(headerBytes([...tensors, buffer]));
        for (const tensor of tensors) sink.write(readBytes(tensor));
        sink.skip(4 * buffer.shape[0]);
      });
      const actions = async (bundle: Bundle): Promise<[Float32Array, FastWamModel, Episode]> => {
        const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 }, grain);
        const episode = new Episode(model);
        const { actions } = await episode.infer(inputs.observation(0, TASK), settings);
        return [actions, model, episode];
      };
      const settings = { policy: 'none', values: {}, companions: {}, noise: 'fixed', seed: 42 } as const;
      const inputs = new RecordedInputs(join(SOURCE, 'episode.safetensors'), small);
      const [expected, copied] = await actions(small);
      await copied.release();
      const [found, model, episode] = await actions(exported({ checkpoint }));
      expect(found).toEqual(expected);
      expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain(checkpoint);
      truncateSync(checkpoint);
      await expect(episode.infer(inputs.observation(1, TASK), settings)).rejects.toThrow(
        /was cut from \d+ to 0 bytes/,
      );
      await model.warmUp();
      await model.release();
    },
  );
});
