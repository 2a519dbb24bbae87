import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { FileFormatError, InputError, messageOf } from '../../errors';
import type { VideoStretch } from './episodes';

const run = promisify(execFile);

const NO_FFMPEG =
  'the pictures of this dataset are videos, and ffmpeg is not installed; install it (Debian, Ubuntu: sudo apt-get install ffmpeg) and run this again';

/** Larger than any camera; the frames are taken into memory one by one. */
const MAX_SIDE = 16_384;

export interface FrameSize {
  readonly width: number;
  readonly height: number;
}

/**
 * Size of the frames of a video file, by ffprobe.
 * @throws InputError where ffmpeg is not installed; FileFormatError where the file is no video
 */
export async function videoSize(path: string): Promise<FrameSize> {
  let text: string;
  try {
    const { stdout } = await run('ffprobe', [
      ...[
        '-v',
        'error',
        '-protocol_whitelist',
        'file',
        '-select_streams',
        'v:0',
        '-show_entries',
        'stream=width,height',
      ],
      ...['-of', 'csv=p=0', `file:${path}`],
    ]);
    text = stdout;
  } catch (error) {
    throw failure(path, error);
  }
  const [width = 0, height = 0] = text.trim().split('\n')[0]?.split(',').map(Number) ?? [];
  if (width >= 1 && width <= MAX_SIDE && height >= 1 && height <= MAX_SIDE) return { width, height };
  throw new FileFormatError(path, 'has no video stream of a usable size');
}

/**
 * Frames of a stretch of a video, RGB, 3 * width * height bytes each, decoded by ffmpeg as they are asked for.
 *
 * @param count frames; a video that ends earlier gives fewer
 * @param fps of the dataset: the stretch begins half a frame before its first one, so that rounding loses none
 * @throws InputError where ffmpeg is not installed; FileFormatError where the file cannot be decoded
 */
export async function* videoFrames(
  { path, from }: VideoStretch,
  { width, height }: FrameSize,
  count: number,
  fps: number,
): AsyncGenerator<Uint8Array, void, void> {
  const begin = Math.max(0, from - 0.5 / fps);
  const child = spawn(
    'ffmpeg',
    [
      ...[
        '-v',
        'error',
        '-nostdin',
        '-protocol_whitelist',
        'file',
        '-ss',
        begin.toFixed(6),
        '-i',
        `file:${path}`,
      ],
      ...['-map', '0:v:0', '-frames:v', String(count), '-fps_mode', 'passthrough'],
      ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < 2000) complaint += text;
  });
  const ended = new Promise<Error | undefined>((resolve) => {
    child.on('error', resolve);
    child.on('close', () => resolve(undefined));
  });
  const size = 3 * width * height;
  let frame = new Uint8Array(size);
  let filled = 0;
  let found = 0;
  try {
    for await (const part of child.stdout as AsyncIterable<Buffer>) {
      for (let at = 0; at < part.length;) {
        const taken = Math.min(part.length - at, size - filled);
        frame.set(part.subarray(at, at + taken), filled);
        at += taken;
        filled += taken;
        if (filled < size) continue;
        found++;
        yield frame;
        frame = new Uint8Array(size);
        filled = 0;
      }
    }
    const error = await ended;
    if (error !== undefined) throw failure(path, error);
    if (found === 0)
      throw new FileFormatError(path, `cannot be decoded: ${complaint.trim() || 'it has no frames'}`);
  } finally {
    child.kill('SIGKILL');
  }
}

function failure(path: string, error: unknown): Error {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new InputError(NO_FFMPEG, { cause: error });
  const { stderr } = error as { readonly stderr?: string };
  return new FileFormatError(path, `cannot be read as a video: ${stderr?.trim() || messageOf(error)}`, {
    cause: error,
  });
}
