import { existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkManifest } from '../../src/bundle/checkManifest';
import { MANIFEST_FILE } from '../../src/bundle/Bundle';
import type { BundleManifest } from '../../src/bundle/schema';
import { exportBundle } from '../../src/export/exportBundle';
import { lockFolder } from '../../src/formats/folderLock';
import { writeText } from '../../src/formats/writeAtomically';
import { writeDemonstrations } from '../../src/sim/demos';
import { exportTabletopCheckpoint } from '../tabletop';
import { FIXTURES, goldenCase, removeFolders, temporaryFolder } from '../helpers';

afterAll(removeFolders);

const { folder } = goldenCase('libero_micro');
const good = JSON.parse(readFileSync(join(folder, MANIFEST_FILE), 'utf8')) as BundleManifest;

/** The manifest with some of its actions, cameras or weights changed. */
const check = (change: (manifest: BundleManifest) => unknown) => () => {
  const manifest = structuredClone(good);
  Object.assign(manifest, change(manifest));
  checkManifest('bundle.json', manifest);
};
const limits = (limits: object) => (manifest: BundleManifest) => ({
  actions: { ...manifest.actions, limits },
});
const all = (value: number): number[] => good.actions.items.map(() => value);

describe('a bundle whose numbers cannot be', () => {
  it('is refused by the key', () => {
    expect(check(() => ({}))).not.toThrow();
    expect(check(limits({ min: all(1e39) }))).toThrow(/actions.limits.min.0: 1e\+39 is too large/);
    expect(check(limits({ min: all(5), max: all(-5) }))).toThrow(/actions.limits.min.0: 5 is above .* -5/);
    expect(check(limits({ max_step: all(0) }))).toThrow(/actions.limits.max_step.0: 0 lets nothing move/);
    expect(check(limits({ max: [1] }))).toThrow(/actions.limits.max: expected/);
    const [camera] = good.cameras;
    expect(check(() => ({ cameras: [camera, camera] }))).toThrow(/cameras.1.name: .* is there twice/);
    expect(check(() => ({ cameras: [{ ...camera!, x: 1e6 }] }))).toThrow(
      /cameras.0: the box .* outside the image/,
    );
    expect(
      check(({ actions }) => ({
        actions: { ...actions, normaliser: { mode: 'z', scale: all(-1), offset: all(0) } },
      })),
    ).toThrow(/actions.normaliser.scale.0: -1 is not above 0/);
    expect(
      check(({ weights }) => ({ weights: { ...weights, policy: { ...weights.policy, path: '/abs/x.pt' } } })),
    ).toThrow(/weights.policy.path: "\/abs\/x.pt" is absolute/);
  });

  it('is not exported, and leaves no folder', () => {
    const source = join(FIXTURES, 'libero_micro');
    const out = join(temporaryFolder(), 'bundle');
    const robot = join(temporaryFolder(), 'robot.yaml');
    writeFileSync(robot, `actions: {limits: {min: [${all(5).join()}], max: [${all(-5).join()}]}}`);
    expect(() =>
      exportBundle({
        checkpoint: join(source, 'fastwam.pt'),
        vae: join(source, 'vae_encoder.pth'),
        textEmbeds: join(source, 'text_embeds'),
        config: join(source, 'config.json'),
        robot,
        out,
      }),
    ).toThrow(/robot.yaml: actions.limits.min.0: 5 is above/);
    expect(existsSync(out)).toBe(false);
  });
});

describe('a folder of results', () => {
  it('is not written into by two processes, and taken over from one that is gone', () => {
    const out = temporaryFolder();
    writeFileSync(join(out, '.fastwam.lock'), `${process.ppid}\n`);
    expect(() => lockFolder(out)).toThrow(/is writing into it/);
    writeFileSync(join(out, '.fastwam.lock'), '99999999\n');
    lockFolder(out)();
    expect(existsSync(join(out, '.fastwam.lock'))).toBe(false);
  });

  it('is not exported into, nor are demonstrations written there, while another process writes', () => {
    const out = temporaryFolder();
    const lock = join(out, '.fastwam.lock');
    writeFileSync(lock, `${process.ppid}\n`);
    expect(() => exportTabletopCheckpoint({ out })).toThrow(/is writing into it/);
    const demonstrations = { episodes: 1, seed: 0, speed: 'fast' } as const;
    expect(() => writeDemonstrations(out, demonstrations)).toThrow(/is writing into it/);
    expect(readdirSync(out)).toEqual(['.fastwam.lock']);
    writeFileSync(lock, '99999999\n');
    writeDemonstrations(out, demonstrations);
    exportTabletopCheckpoint({ out });
    expect(existsSync(lock)).toBe(false);
  });

  it('does not lead elsewhere: a link is replaced', () => {
    const out = temporaryFolder();
    const target = join(temporaryFolder(), 'precious');
    writeFileSync(target, 'kept');
    symlinkSync(target, join(out, 'report.html'));
    writeText(join(out, 'report.html'), 'new');
    expect([readFileSync(target, 'utf8'), readFileSync(join(out, 'report.html'), 'utf8')]).toEqual([
      'kept',
      'new',
    ]);
  });
});
