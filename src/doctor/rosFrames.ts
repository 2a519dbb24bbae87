import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../errors';
import type { FindingParts } from './types';

/** Segment of Fast DDS where no profile says otherwise, bytes. A larger BEST_EFFORT message is lost without a word. */
const DEFAULT_SEGMENT = 512 * 1024;
/** 640x480 rgb8, the smallest usual camera frame that is lost */
const USUAL_FRAME = 640 * 480 * 3;
const SHARED_MEMORY = '/dev/shm';

/**
 * Whether camera frames reach this process through the shared memory of Fast DDS (ROS 2's default middleware). The
 * publisher's segment decides, so that the same setting has to be made where the camera driver is started.
 */
export function examineFrames(environment: NodeJS.ProcessEnv, setupFolder: string): FindingParts {
  const name = 'large frames';
  const middleware = environment.RMW_IMPLEMENTATION ?? 'rmw_fastrtps_cpp';
  if (!middleware.startsWith('rmw_fastrtps')) {
    return { name, state: 'ok', text: `${middleware} does not use the shared memory of Fast DDS` };
  }
  const own = join(setupFolder, 'shm.xml');
  const profile = environment.FASTDDS_DEFAULT_PROFILES_FILE ?? environment.FASTRTPS_DEFAULT_PROFILES_FILE;
  const remedy =
    `in every shell that starts a camera driver: export FASTDDS_DEFAULT_PROFILES_FILE=${own}` +
    (existsSync(own) ? '' : ' (`npx fastwam ros-setup` writes it)');
  if (profile === undefined) {
    if (environment.FASTDDS_BUILTIN_TRANSPORTS?.startsWith('LARGE_DATA')) {
      return { name, state: 'ok', text: 'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA; camera drivers need it too' };
    }
    const text = `no Fast DDS profile is set: frames over ${DEFAULT_SEGMENT / 1024} KiB are lost silently (640x480 rgb8 has ${USUAL_FRAME / 1024} KiB)`;
    return { name, state: 'missing', text, remedy };
  }
  let segment: number | undefined;
  try {
    segment = sharedMemorySegment(readFileSync(profile, 'utf8'));
  } catch (error) {
    return {
      name,
      state: 'problem',
      text: `the Fast DDS profile cannot be read: ${messageOf(error)}`,
      remedy,
    };
  }
  if (segment === undefined || segment < 2 * USUAL_FRAME) {
    const size = segment ?? DEFAULT_SEGMENT;
    const text = `${profile} gives shared-memory segments of ${kib(size)} KiB; larger frames are lost silently`;
    return { name, state: 'problem', text, remedy };
  }
  const free = freeSharedMemory();
  if (free !== undefined && free < 2 * segment) {
    const text = `${SHARED_MEMORY} has ${kib(free)} KiB free, a segment takes ${kib(segment)} KiB for each process`;
    return { name, state: 'problem', text, remedy: `enlarge it (docker run --shm-size=1g)` };
  }
  const text = `shared-memory segments of ${kib(segment)} KiB; camera drivers need FASTDDS_DEFAULT_PROFILES_FILE=${profile} too`;
  return { name, state: 'ok', text };
}

/** bytes of `segment_size` of a Fast DDS profile's shared-memory transport; undefined where it has none */
export function sharedMemorySegment(xml: string): number | undefined {
  const text = xml.replace(/<!--[\s\S]*?-->/g, '');
  for (const [, transport] of text.matchAll(/<transport_descriptor>([\s\S]*?)<\/transport_descriptor>/g)) {
    if (!/<type>\s*SHM\s*<\/type>/.test(transport ?? '')) continue;
    const size = /<segment_size>\s*(\d+)\s*<\/segment_size>/.exec(transport ?? '')?.[1];
    if (size !== undefined) return Number(size);
  }
  return undefined;
}

function freeSharedMemory(): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

function kib(bytes: number): number {
  return Math.floor(bytes / 1024);
}
