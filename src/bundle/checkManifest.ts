import { FileFormatError } from '../errors';
import { quoted } from '../words/quoted';
import { scalingLengths } from '../formats/scaling';
import { isAbsolute } from 'node:path';
import type { BundleManifest } from './schema';

/**
 * Refuses a bundle whose numbers cannot be: the same at export, before anything is written, and when it is loaded.
 * @param path for messages
 * @throws FileFormatError naming the key
 */
export function checkManifest(path: string, manifest: BundleManifest): void {
  const wrong = (key: string, problem: string): FileFormatError =>
    new FileFormatError(path, `${key}: ${problem}`);
  checkLengths(manifest, wrong);
  checkCameras(manifest, wrong);
  checkLimits(manifest, wrong);
  checkScaling('proprio', manifest.proprio.normaliser, wrong);
  checkScaling('actions', manifest.actions.normaliser, wrong);
  for (const name of ['policy', 'vae'] as const) {
    const { path: file } = manifest.weights[name];
    if (isAbsolute(file)) {
      throw wrong(
        `weights.${name}.path`,
        `${quoted(file)} is absolute, expected a path from the bundle's folder, with which it may move`,
      );
    }
  }
}

type Wrong = (key: string, problem: string) => FileFormatError;

/** Arrays that belong to a dimension must have its length. */
function checkLengths({ dimensions, actions, proprio }: BundleManifest, wrong: Wrong): void {
  const { action_dim, proprio_dim } = dimensions;
  const expected: [string, number, number][] = [
    ['actions.items', actions.items.length, action_dim],
    ...scalingLengths(actions.normaliser).map(([key, length]): [string, number, number] => [
      `actions.normaliser.${key}`,
      length,
      action_dim,
    ]),
    ['proprio.names', proprio.names.length, proprio_dim],
    ['proprio.units', proprio.units.length, proprio_dim],
    ...scalingLengths(proprio.normaliser).map(([key, length]): [string, number, number] => [
      `proprio.normaliser.${key}`,
      length,
      proprio_dim,
    ]),
  ];
  if (actions.limits !== null && actions.limits !== 'none') {
    for (const [name, values] of Object.entries(actions.limits)) {
      if (values) expected.push([`actions.limits.${name}`, values.length, action_dim]);
    }
  }
  for (const [key, found, wanted] of expected) {
    if (found !== wanted) throw wrong(key, `expected ${wanted} entries, found ${found}`);
  }
  for (const index of actions.relative ?? []) {
    if (index >= action_dim || index >= proprio_dim) {
      throw wrong(
        `actions.relative ${index}`,
        `the model has ${action_dim} action and ${proprio_dim} state dimensions`,
      );
    }
  }
  for (const { index } of actions.gripper) {
    if (index >= action_dim) {
      throw wrong(`actions.gripper.index ${index}`, `the model has ${action_dim} action dimensions`);
    }
  }
}

/** Boxes lie in the image, and no camera stands there twice. */
function checkCameras({ cameras, dimensions, image }: BundleManifest, wrong: Wrong): void {
  const { width, height } = image?.mosaic ?? dimensions;
  const seen = new Set<string>();
  for (const [i, camera] of cameras.entries()) {
    if (seen.has(camera.name)) throw wrong(`cameras.${i}.name`, `${quoted(camera.name)} is there twice`);
    seen.add(camera.name);
    if (camera.x + camera.width > width || camera.y + camera.height > height) {
      throw wrong(
        `cameras.${i}`,
        `the box of ${quoted(camera.name)}, ${camera.width}x${camera.height} at ${camera.x}, ${camera.y}, reaches outside the image of ${width}x${height}`,
      );
    }
  }
}

/** Limits are numbers of float32, in which actions are; the least is not above the greatest, and steps go forward. */
function checkLimits({ actions: { limits } }: BundleManifest, wrong: Wrong): void {
  if (limits === null || limits === 'none') return;
  for (const [name, values] of Object.entries(limits)) {
    for (const [i, value] of (values ?? []).entries()) {
      const key = `actions.limits.${name}.${i}`;
      if (value === null) continue;
      if (!Number.isFinite(Math.fround(value))) {
        throw wrong(key, `${value} is too large for a limit; leave it out (null) where there is none`);
      }
      if (name.startsWith('max_') && value <= 0)
        throw wrong(key, `${value} lets nothing move; expected more than 0`);
    }
  }
  for (const [i, least] of (limits.min ?? []).entries()) {
    const greatest = limits.max?.[i];
    if (least !== null && greatest !== null && greatest !== undefined && least > greatest) {
      throw wrong(`actions.limits.min.${i}`, `${least} is above the greatest value, ${greatest}`);
    }
  }
}

function checkScaling(part: string, normaliser: BundleManifest['actions']['normaliser'], wrong: Wrong): void {
  const lists =
    'statistics' in normaliser
      ? normaliser.statistics.map((values, i) => [`statistics.${i}`, values] as const)
      : ([
          ['scale', normaliser.scale],
          ['offset', normaliser.offset],
        ] as const);
  for (const [name, values] of lists) {
    const bad = Array.from(values).findIndex((value) => !Number.isFinite(Math.fround(value)));
    if (bad >= 0) throw wrong(`${part}.normaliser.${name}.${bad}`, 'is no number of float32');
  }
  if (!('statistics' in normaliser)) {
    // A scale below 0 would turn the direction of motion around.
    const bad = normaliser.scale.findIndex((value) => Math.fround(value) <= 0);
    if (bad >= 0) {
      throw wrong(`${part}.normaliser.scale.${bad}`, `${normaliser.scale[bad] ?? 0} is not above 0`);
    }
  }
}
