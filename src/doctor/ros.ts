import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { messageOf } from '../errors';
import { setupHome } from '../setupHome';
import { examineFrames } from './rosFrames';
import { startChild } from './startChild';
import { section } from './types';
import type { Finding, FindingParts } from './types';

/** Distributions before Jazzy; later ones are taken as they come. */
const TOO_OLD = ['dashing', 'eloquent', 'foxy', 'galactic', 'humble', 'iron'];
const SETUP = 'run `npx fastwam ros-setup`';
const LOAD_LIMIT = 20_000;

/** Where `fastwam ros-setup` has put its environment, or would. */
export function rosSetupFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return resolve(environment.ROS_SETUP_DIR ?? join(setupHome(), '.ros'));
}

/** ROS 2: the environment, rclnodejs, the messages of this project, and how large frames travel. */
export async function examineRos(environment: NodeJS.ProcessEnv = process.env): Promise<Finding[]> {
  const folder = rosSetupFolder(environment);
  const made = existsSync(join(folder, 'env.sh'));
  const rclnodejs = findRclnodejs(environment, folder);
  return section('ROS 2', [
    examineEnvironment(environment, made),
    made
      ? { name: 'ros-setup', state: 'ok', text: `${folder} (${rosUnderlay(folder)})` }
      : { name: 'ros-setup', state: 'missing', text: `${folder} is not there`, remedy: SETUP },
    ...(await examineRclnodejs(rclnodejs, environment)),
    examineMessages(rclnodejs, environment),
    examineFrames(environment, folder),
  ]);
}

function rosUnderlay(folder: string): string {
  try {
    const underlay = readFileSync(join(folder, 'underlay.stamp'), 'utf8').trim();
    return underlay === 'wheels' ? 'ROS 2 from wheels' : `on ${underlay}`;
  } catch {
    return 'not finished';
  }
}

function sourced(environment: NodeJS.ProcessEnv): boolean {
  return Boolean(environment.AMENT_PREFIX_PATH && environment.ROS_DISTRO);
}

export function examineEnvironment(environment: NodeJS.ProcessEnv, made: boolean): FindingParts {
  const name = 'environment';
  if (!sourced(environment)) {
    const remedy = made
      ? 'prefix a command that needs ROS with `npx fastwam ros`, for example `npx fastwam ros npx fastwam doctor`'
      : `source your ROS 2, or where none is installed ${SETUP}`;
    return { name, state: 'missing', text: 'no ROS 2 is sourced', remedy };
  }
  const distro = environment.ROS_DISTRO ?? '';
  const prefixes = (environment.AMENT_PREFIX_PATH ?? '').split(':').filter(Boolean);
  const gone = prefixes.filter((prefix) => !existsSync(prefix));
  const text = `${distro}, ${prefixes.join(':')}`;
  if (environment.ROS_VERSION === '1' || TOO_OLD.includes(distro)) {
    return { name, state: 'problem', text, remedy: 'source ROS 2 Jazzy or later' };
  }
  if (gone.length > 0) {
    const remedy = `${gone.join(', ')} of AMENT_PREFIX_PATH is not there; open a new shell and source ROS 2 anew`;
    return { name, state: 'problem', text, remedy };
  }
  return { name, state: 'ok', text };
}

/** Folder of rclnodejs: where RCLNODEJS_PATH says, else the project's packages, else where ros-setup has put it. */
export function findRclnodejs(environment: NodeJS.ProcessEnv, setup: string): string | undefined {
  const configured = environment.RCLNODEJS_PATH;
  if (configured && existsSync(join(configured, 'package.json'))) return configured;
  try {
    return dirname(createRequire(__filename).resolve('rclnodejs/package.json'));
  } catch {
    const own = join(setup, 'node', 'node_modules', 'rclnodejs');
    return existsSync(join(own, 'package.json')) ? own : undefined;
  }
}

async function examineRclnodejs(
  folder: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<FindingParts[]> {
  const name = 'rclnodejs';
  if (folder === undefined) {
    return [{ name, state: 'missing', text: 'is not installed', remedy: SETUP }];
  }
  const { version, rebuilds } = readPackage(folder);
  const addon = join(folder, 'build', 'Release', 'rclnodejs.node');
  if (!existsSync(addon)) {
    const text = `${version} in ${folder} has no build/Release/rclnodejs.node`;
    return [{ name, state: 'problem', text, remedy: `${SETUP}, which builds it` }];
  }
  const guard: FindingParts[] = rebuilds
    ? [
        {
          name: 'rclnodejs rebuild',
          state: 'problem',
          text: 'imported where its native part does not load, rclnodejs deletes its own build',
          remedy: `${SETUP}, or in ${folder}: npm pkg set scripts.rebuild='exit 1'`,
        },
      ]
    : [];
  if (!sourced(environment)) {
    return [
      { name, state: 'ok', text: `${version} in ${folder} (not loaded: no ROS 2 is sourced)` },
      ...guard,
    ];
  }
  const lacking = await tryAddon(addon, environment);
  if (lacking === undefined) return [{ name, state: 'ok', text: `${version} in ${folder}, loads` }, ...guard];
  const remedy = `source the ROS 2 it was built for, or ${SETUP} again`;
  return [{ name, state: 'problem', text: `does not load: ${lacking}`, remedy }, ...guard];
}

function readPackage(folder: string): { version: string; rebuilds: boolean } {
  try {
    const { version, scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      version?: string;
      scripts?: Record<string, string>;
    };
    return { version: version ?? 'of no version', rebuilds: !/\bexit 1$/.test(scripts?.rebuild ?? 'exit 1') };
  } catch (error) {
    return { version: `of an unknown version (${messageOf(error)})`, rebuilds: false };
  }
}

/**
 * Loads the native part alone, in a process of its own. The package itself is not imported: where that fails it
 * begins to rebuild itself by deleting what was built.
 */
async function tryAddon(addon: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const program = `process.dlopen({ exports: {} }, ${JSON.stringify(addon)}); process.reallyExit(0)`;
  const { code, stderr, signal, failed } = await startChild(
    process.execPath,
    ['-e', program],
    LOAD_LIMIT,
    environment,
  );
  if (code === 0) return undefined;
  return failed ?? /^Error: (.*)$/m.exec(stderr)?.[1] ?? `ended by ${signal ?? `code ${code ?? '?'}`}`;
}

function examineMessages(rclnodejs: string | undefined, environment: NodeJS.ProcessEnv): FindingParts {
  const name = 'fast_wam_msgs';
  if (rclnodejs === undefined || !existsSync(join(rclnodejs, 'generated', 'fast_wam_msgs'))) {
    const text = 'rclnodejs has no JavaScript of these messages';
    return { name, state: 'missing', text, remedy: SETUP };
  }
  const prefixes = (environment.AMENT_PREFIX_PATH ?? '').split(':').filter(Boolean);
  const home = prefixes.find((prefix) => existsSync(join(prefix, 'share', 'fast_wam_msgs')));
  if (sourced(environment) && home === undefined) {
    const text = 'generated for rclnodejs, but in no folder of AMENT_PREFIX_PATH';
    return { name, state: 'problem', text, remedy: 'use `npx fastwam ros COMMAND`, or source .ros/env.sh' };
  }
  const text = `generated for rclnodejs${home ? `, built in ${home}` : ''}`;
  return { name, state: 'ok', text };
}
