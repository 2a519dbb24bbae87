import { parentPort } from 'node:worker_threads';
import { Bundle } from '../bundle/Bundle';
import type { Grain } from '../cache/types';
import { FastWamError, PictureRefused, messageOf } from '../errors';
import { FastWamModel } from '../model/FastWamModel';
import { CalibrationRecorder } from './CalibrationRecorder';
import { Episode } from './Episode';
import type { LoadReport, WorkerRequest, WorkerResponse } from './workerMessages';

/**
 * The thread that owns the onnxruntime sessions. Model calls run one after another in the order they were asked
 * for; a reset takes effect at once, so that a chunk in flight is discarded.
 */
class InferenceWorker {
  #model: FastWamModel | undefined;
  readonly #episodes = new Map<number, Episode>();
  readonly #recorders = new Map<number, CalibrationRecorder>();
  #queue: Promise<unknown> = Promise.resolve();

  handle(request: WorkerRequest): unknown {
    switch (request.method) {
      case 'load':
        return this.#inTurn(() => this.#load(...request.args));
      case 'prepare':
        return this.#inTurn(() => this.#prepare(...request.args));
      case 'openEpisode':
        this.#episodes.set(request.args[0], new Episode(this.#loaded()));
        return undefined;
      case 'infer': {
        const [id, observation, settings, options] = request.args;
        return this.#inTurn(() => this.#episode(id).infer(observation, settings, options));
      }
      case 'reset':
        this.#episode(request.args[0]).reset();
        return undefined;
      case 'closeEpisode':
        this.#episodes.delete(request.args[0]);
        return undefined;
      case 'learnContext':
        this.#loaded().bundle.learn(...request.args);
        return undefined;
      case 'openRecorder': {
        const [id, policy] = request.args;
        this.#recorders.set(id, new CalibrationRecorder(this.#loaded(), policy));
        return undefined;
      }
      case 'learn': {
        const [id, ...rest] = request.args;
        return this.#inTurn(() => this.#recorder(id).learn(...rest));
      }
      case 'solve': {
        const [id, values] = request.args;
        return this.#inTurn(() => Promise.resolve(this.#recorder(id).solve(values)));
      }
      case 'closeRecorder':
        this.#recorders.delete(request.args[0]);
        return undefined;
      case 'stop':
        return this.#inTurn(() => this.#release());
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #load(
    ...[folder, execution, grain]: Extract<WorkerRequest, { method: 'load' }>['args']
  ): Promise<LoadReport> {
    const started = performance.now();
    await this.#release();
    const notices: string[] = [];
    const bundle = Bundle.open(folder);
    this.#model = await FastWamModel.load(bundle, execution, grain, (notice) => notices.push(notice));
    await this.#model.warmUp();
    return { provider: this.#model.provider, seconds: (performance.now() - started) / 1000, notices };
  }

  async #prepare(grain: Grain): Promise<number> {
    const started = performance.now();
    await this.#loaded().ensureGrain(grain);
    return (performance.now() - started) / 1000;
  }

  async #release(): Promise<void> {
    const model = this.#model;
    this.#model = undefined;
    this.#episodes.clear();
    this.#recorders.clear();
    await model?.release();
  }

  #loaded(): FastWamModel {
    if (!this.#model) throw new FastWamError('no model is loaded');
    return this.#model;
  }

  #episode(id: number): Episode {
    const episode = this.#episodes.get(id);
    if (!episode) throw new FastWamError('this episode is closed');
    return episode;
  }

  #recorder(id: number): CalibrationRecorder {
    const recorder = this.#recorders.get(id);
    if (!recorder) throw new FastWamError('this recorder is closed');
    return recorder;
  }
}

const worker = new InferenceWorker();
const port = parentPort;
if (!port) throw new FastWamError('inferenceWorker runs as a worker thread');

async function answer(request: WorkerRequest): Promise<void> {
  let response: WorkerResponse;
  try {
    response = { id: request.id, result: await worker.handle(request) };
  } catch (error) {
    const kind = error instanceof FastWamError ? error.constructor.name : 'Error';
    const picture =
      error instanceof PictureRefused ? { reason: error.reason, camera: error.camera } : undefined;
    response = { id: request.id, error: { kind, message: messageOf(error), ...(picture && { picture }) } };
  }
  port?.postMessage(response);
  // The thread ends by itself once nothing holds it: ending it from outside during a run aborts the process.
  if (request.method === 'stop') port?.close();
}

port.on('message', (request: WorkerRequest) => void answer(request));
