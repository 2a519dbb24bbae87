import { fit } from '../../cache/choice';
import { UsageError, messageOf } from '../../errors';
import { ObservationBuffer } from '../../observation/ObservationBuffer';
import { ACTION_CHUNK_TYPE, actionChunkMessage } from '../../policy/actionChunkMessage';
import { farFromTraining } from '../../policy/farFromTraining';
import { modelFacts } from '../../policy/modelFacts';
import type { EpisodeHandle } from '../../policy/PolicyClient';
import type { RawFrame } from '../../observation/RawFrame';
import { ParameterSet } from '../../settings/ParameterSet';
import {
  executionOptions,
  number,
  observationLimits,
  policySettings,
  rtcOf,
  problemWithTogether,
  text,
} from '../../settings/parameterValues';
import type { ParameterValues } from '../../settings/parameterValues';
import { POLICY_PARAMETERS } from '../../settings/policyParameters';
import { ChunkProducer } from '../../policy/ChunkProducer';
import type { ChunkConditions, ProducedChunk } from '../../policy/ChunkProducer';
import type { Status } from '../node/Diagnostics';
import { ManagedNode } from '../node/ManagedNode';
import type { Rclnodejs, RosLifecycleNode, RosPublisher, RosResponse, RosTimer } from '../client/rclnodejs';
import { JumpDetector } from '../client/time';
import { ExecutorWatch } from './ExecutorWatch';
import { InstructionEncoder } from './InstructionEncoder';
import { InstructionTopic } from './InstructionTopic';
import { SourceSubscriptions } from './SourceSubscriptions';
import { jointTrajectoryMessage } from './jointTrajectoryMessage';
import { cacheStatus, inferenceStatus, observationStatus, safetyStatus } from './policyDiagnostics';
import { knownInstructions, loadPolicy, onlyInstruction, unknownInstruction } from './policyService';
import type { LoadPolicy, PolicyService } from './policyService';
import { topicMapping } from './topicMapping';

/**
 * Frames kept of a camera. Whether a compressed one can be read shows when it is decoded, which is done for those that a
 * chunk is made of; a second of them is kept, so that a good one is left where some are bad.
 */
const RAW_FRAMES = 4;
const COMPRESSED_FRAMES = 32;

export interface PolicyNodeOptions {
  readonly rclnodejs: Rclnodejs;
  readonly name?: string;
  readonly load?: LoadPolicy;
}

/** What is there from `configure` to `cleanup`. */
interface Configured {
  readonly service: PolicyService;
  readonly episode: EpisodeHandle;
  readonly buffer: ObservationBuffer<RawFrame>;
  readonly sources: SourceSubscriptions;
  readonly executor: ExecutorWatch;
  readonly instructions: InstructionTopic;
  readonly encoder: InstructionEncoder;
  readonly producer: ChunkProducer;
  readonly chunks: RosPublisher;
  /** only where the actions are joint positions */
  readonly trajectories: RosPublisher | undefined;
}

interface TriggerResponse {
  success: boolean;
  message: string;
}
interface InferRequest {
  readonly instruction: string;
}
interface InferResponse extends TriggerResponse {
  chunk: object;
}

/**
 * The policy as a managed node: observations in, action chunks out, tunable while it runs. ROS stays on this thread,
 * inference in the policy's worker; nothing here waits for the model except through promises.
 */
export class PolicyNode {
  readonly #managed: ManagedNode;
  readonly #node: RosLifecycleNode;
  readonly #load: LoadPolicy;
  readonly #parameters = new ParameterSet(POLICY_PARAMETERS, problemWithTogether);
  readonly #clock = new JumpDetector();
  #configured: Configured | undefined;
  /** the service that was loaded last, or is being loaded */
  #loading: Promise<PolicyService | undefined> = Promise.resolve(undefined);
  #timer: RosTimer | undefined;
  #instruction = '';
  /** what came on the instruction topic and is not known; empty since a known one has come */
  #unknownInstruction = '';
  #reported = { late: 0, failed: 0 };
  /** since the start, by what was refused */
  readonly #refused = { instructions: 0, requests: 0 };

  constructor({ rclnodejs, name = 'fast_wam_policy', load = loadPolicy }: PolicyNodeOptions) {
    this.#load = load;
    this.#managed = new ManagedNode({
      rclnodejs,
      name,
      parameters: this.#parameters,
      handlers: {
        configure: () => this.#configure(),
        activate: () => this.#activate(),
        deactivate: () => this.#deactivate(),
        cleanup: () => this.#free(),
        shutdown: () => this.#free(),
        recover: () => this.#free(),
      },
      configured: () => this.#configured !== undefined || this.#managed.lifecycle.running === 'configure',
      refuse: (changes) => this.#refuse(changes),
      onChange: (changes) => this.#apply(changes),
      hardwareId: () => this.#configured?.service.bundle.manifest.name ?? 'none',
      statuses: () => this.#statuses(),
    });
    this.#node = this.#managed.node;
    this.#offerServices();
  }

  /** Begins to serve; with `autostart`, configures and activates. */
  start(): Promise<void> {
    return this.#managed.start();
  }

  /** Stops publishing at once; resolves when the chunk or the model in the making is done and its thread has ended. */
  async stop(): Promise<void> {
    this.#configured?.producer.stop();
    this.#configured?.encoder.close();
    this.#managed.stop();
    const service = await this.#loading;
    await service?.close();
  }

  get #values(): ParameterValues {
    return this.#parameters.values;
  }

  // -------------------------------------------------------------------------------------------------------- transitions

  async #configure(): Promise<void> {
    this.#managed.checkLaunch();
    const folder = text(this.#values, 'bundle');
    if (folder === '')
      throw new UsageError('the parameter bundle is not set; it names the folder that `fastwam export` made');
    const started = performance.now();
    this.#managed.logger.info(`loading ${folder}`);
    const loading = this.#load(folder, executionOptions(this.#values), policySettings(this.#values));
    this.#loading = loading.catch(() => undefined);
    const service = await loading;
    const parameter = text(this.#values, 'instruction');
    try {
      this.#configured = await this.#assemble(service);
    } catch (error) {
      await service.close();
      throw error;
    }
    const { warning } = fit(policySettings(this.#values), modelFacts(service.bundle));
    for (const notice of [...service.notices, ...(warning === undefined ? [] : [warning])])
      this.#managed.logger.warn(notice);
    this.#managed.logger.info(
      `${service.bundle.manifest.name} loaded in ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    if (this.#instruction === '' && parameter !== '') this.#follow(parameter);
  }

  /** Everything that a loaded bundle makes possible; throws without a trace if it does not fit the parameters. */
  async #assemble(service: PolicyService): Promise<Configured> {
    const { manifest } = service.bundle;
    this.#managed.bridge.declareMembers(
      manifest.cameras.flatMap(({ name }) => [`cameras.${name}.topic`, `cameras.${name}.transport`]),
    );
    const facts = modelFacts(service.bundle);
    const problem = this.#parameters.problemWithModel(facts);
    if (problem !== undefined) throw new UsageError(problem);
    const { mapping, warnings } = topicMapping(this.#values, this.#parameters.explicit, manifest);
    const { cameras, proprio, instructionTopic } = mapping;
    for (const warning of warnings) this.#managed.logger.warn(warning);
    if (manifest.actions.limits === null && text(this.#values, 'safety.limits') !== 'none') {
      throw new UsageError(
        'the bundle states no action limits, so no robot is driven with it: export it with --robot, or set safety.limits to none if the robot enforces its own',
      );
    }
    const encoder = this.#encoderFor(service);
    const instruction = this.#firstInstruction(service, encoder.available);
    const episode = await service.createEpisode();
    this.#managed.bridge.useModel(facts);
    this.#take(instruction);

    const buffer = new ObservationBuffer<RawFrame>({
      cameras: cameras.map(({ name }) => name),
      // its sentences name topics as others see them
      proprio: proprio.map((source) => ({ ...source, topic: this.#node.resolveTopicName(source.topic) })),
      limits: observationLimits(this.#values),
      plausibility: farFromTraining(service.bundle),
      framesOf: (camera) =>
        cameras.some(({ name, transport }) => name === camera && transport === 'compressed')
          ? COMPRESSED_FRAMES
          : RAW_FRAMES,
    });
    const sources = new SourceSubscriptions({
      node: this.#node,
      cameras,
      proprio,
      buffer,
      qos: this.#managed.qos.sensor,
      onMalformed: (source, message) => this.#managed.repeated.warn(`malformed ${source}`, message),
    });
    const executor = new ExecutorWatch(
      this.#node,
      text(this.#values, 'executor_state_topic'),
      this.#managed.qos,
    );
    const producer = new ChunkProducer({
      episode,
      now: () => this.#now(),
      observe: (time) => buffer.sample(time),
      takeBack: (camera, stamp, problem) => buffer.takeBack(camera, stamp, problem),
      conditions: () => this.#conditions(),
      heldSince: () => executor.heldSince,
      publish: (produced) => this.#publish(produced),
      onProblem: (kind, message) => this.#managed.repeated.warn(kind, message),
    });
    return {
      service,
      episode,
      buffer,
      sources,
      executor,
      producer,
      encoder,
      instructions: new InstructionTopic({
        node: this.#node,
        topic: instructionTopic,
        qos: this.#managed.qos,
        onInstruction: (instruction) => this.#onInstruction(instruction),
        onUnreadable: (sentence) => {
          this.#refused.instructions += 1;
          this.#managed.repeated.warn('instruction', sentence);
        },
      }),
      chunks: this.#node.createPublisher(ACTION_CHUNK_TYPE, '~/action_chunk', {
        qos: this.#managed.qos.command,
      }),
      trajectories:
        manifest.actions.kind === 'joint_position'
          ? this.#node.createPublisher('trajectory_msgs/msg/JointTrajectory', '~/joint_trajectory', {
              qos: this.#managed.qos.command,
            })
          : undefined,
    };
  }

  async #activate(): Promise<void> {
    if (!this.#configured) throw new UsageError('nothing is configured');
    await this.#configured.producer.start();
    this.#startTimer();
  }

  #deactivate(): void {
    this.#stopTimer();
    this.#configured?.producer.stop();
  }

  async #free(): Promise<void> {
    this.#stopTimer();
    const configured = this.#configured;
    this.#configured = undefined;
    this.#managed.bridge.useModel(undefined);
    this.#unknownInstruction = '';
    this.#reported = { late: 0, failed: 0 };
    if (!configured) return;
    configured.producer.stop();
    configured.sources.destroy();
    configured.executor.destroy();
    configured.instructions.destroy();
    configured.encoder.close();
    this.#node.destroyPublisher(configured.chunks);
    if (configured.trajectories) this.#node.destroyPublisher(configured.trajectories);
    await configured.service.close();
  }

  // ------------------------------------------------------------------------------------------------------------ the run

  #now(): bigint {
    return this.#node.getClock().now().nanoseconds;
  }

  #startTimer(): void {
    this.#stopTimer();
    const period = BigInt(Math.round(1e9 / number(this.#values, 'control.rate')));
    this.#timer = this.#node.createTimer(period, () => this.#step());
  }

  #stopTimer(): void {
    if (this.#timer) this.#node.destroyTimer(this.#timer);
    this.#timer = undefined;
  }

  #step(): void {
    const configured = this.#configured;
    if (!configured) return;
    if (this.#clock.jumpedBack(this.#now())) {
      this.#managed.logger.warn('the time has jumped back: a new episode starts');
      configured.buffer.clear();
      this.#newEpisode();
      return;
    }
    if (text(this.#values, 'control.trigger') === 'periodic') configured.producer.tick();
  }

  #newEpisode(): void {
    this.#configured?.producer
      .reset()
      .catch((error: unknown) => this.#managed.logger.error(messageOf(error)));
  }

  #conditions(): ChunkConditions | string {
    const { bundle } = this.#configured?.service ?? {};
    if (!bundle) return 'the node is not configured';
    if (this.#instruction === '') {
      const wanted = this.#configured?.encoder.wanted;
      if (wanted !== undefined) return `no instruction yet: ${JSON.stringify(wanted)} is being encoded`;
      const known = knownInstructions(bundle);
      return `no instruction yet: publish one, or set the parameter instruction${known && `; ${known}`}`;
    }
    return {
      settings: policySettings(this.#values),
      rtc: rtcOf(this.#values),
      period: 1 / number(this.#values, 'control.rate'),
      replanSteps: number(this.#values, 'control.replan_steps'),
      instruction: this.#instruction,
      refuseLimited: text(this.#values, 'safety.limits') === 'refuse',
      maxFrozen: number(this.#values, 'observation.max_frozen'),
    };
  }

  #publish(produced: ProducedChunk): void {
    const configured = this.#configured;
    if (!configured) return;
    const { actions } = configured.service.bundle.manifest;
    configured.chunks.publish(actionChunkMessage(produced, actions));
    configured.trajectories?.publish(jointTrajectoryMessage(produced, actions));
  }

  // ------------------------------------------------------------------------------------------------------- instructions

  /**
   * What to begin with: the parameter, which the user has set or an earlier run left; else the only one there is. Nothing
   * where the user's own has to be encoded first.
   */
  #firstInstruction({ bundle }: PolicyService, encodes: boolean): string {
    const parameter = text(this.#values, 'instruction');
    if (parameter === '' || bundle.knows(parameter))
      return parameter === '' ? onlyInstruction(bundle) : parameter;
    if (!this.#parameters.explicit.has('instruction')) return onlyInstruction(bundle);
    if (encodes) return '';
    throw new UsageError(unknownInstruction(bundle, parameter));
  }

  #onInstruction(instruction: string): void {
    const problem = this.#follow(instruction);
    this.#unknownInstruction = problem ?? '';
    if (problem !== undefined) this.#managed.repeated.warn('instruction', problem);
  }

  /**
   * Follows a task from the next chunk on; another than the running one starts an episode. One that is not known is
   * encoded first, where there is an encoder.
   * @returns why not
   */
  #follow(instruction: string): string | undefined {
    const configured = this.#configured;
    if (!configured) return 'the node is not configured';
    const { encoder, service } = configured;
    const running = instruction === this.#instruction;
    if (!running && !service.bundle.knows(instruction)) {
      if (encoder.available) {
        this.#encode(instruction);
        return undefined;
      }
      this.#refused.instructions += 1;
      return unknownInstruction(service.bundle, instruction);
    }
    encoder.forget();
    if (running) return undefined;
    this.#take(instruction);
    this.#managed.logger.info(`instruction: ${JSON.stringify(instruction)}`);
    this.#newEpisode();
    return undefined;
  }

  #encoderFor(service: PolicyService): InstructionEncoder {
    return new InstructionEncoder({
      service,
      settings: () => ({
        path: text(this.#values, 'text_encoder.path'),
        tokenizer: text(this.#values, 'text_encoder.tokenizer'),
        keep: number(this.#values, 'text_encoder.keep'),
        threads: number(this.#values, 'execution.threads'),
      }),
      onReady: (task, { seconds, memory, cut }) => {
        const took = `in ${seconds.toFixed(1)} s with ${(memory / 1e9).toFixed(2)} GB of memory`;
        this.#managed.logger.info(`${JSON.stringify(task)} was encoded ${took}`);
        if (cut > 0) {
          this.#managed.logger.warn(
            `${JSON.stringify(task)} is too long: the model does not see its last ${cut} tokens`,
          );
        }
        this.#onInstruction(task);
      },
      onFailure: (task, problem) => {
        this.#refused.instructions += 1;
        this.#unknownInstruction = `${JSON.stringify(task)} could not be encoded: ${problem}; ${this.#meanwhile()}`;
        this.#managed.logger.error(this.#unknownInstruction);
      },
    });
  }

  /** Has a task encoded, which is followed when that is done unless another has come by then. */
  #encode(task: string): void {
    const encoder = this.#configured?.encoder;
    if (!encoder || encoder.wanted === task) return;
    this.#managed.logger.info(
      `${JSON.stringify(task)} is not known and is being encoded with ${text(this.#values, 'text_encoder.path')}; ${this.#meanwhile()}`,
    );
    encoder.want(task);
  }

  /** What the robot does while it cannot follow what it was told. */
  #meanwhile(): string {
    return this.#instruction === ''
      ? 'no chunk is made meanwhile'
      : `${JSON.stringify(this.#instruction)} goes on`;
  }

  /** Makes a task the running one, whoever has said it: the parameter tells which it is. */
  #take(instruction: string): void {
    this.#instruction = instruction;
    this.#managed.bridge.report('instruction', instruction);
  }

  // --------------------------------------------------------------------------------------------------------- parameters

  #refuse(changes: ParameterValues): string | undefined {
    const bundle = this.#configured?.service.bundle;
    const instruction = changes.get('instruction');
    const encodes = this.#configured?.encoder.available === true;
    if (
      bundle &&
      typeof instruction === 'string' &&
      instruction !== '' &&
      !encodes &&
      !bundle.knows(instruction)
    ) {
      this.#refused.instructions += 1;
      return unknownInstruction(bundle, instruction);
    }
    const limits = changes.get('safety.limits');
    if (bundle?.manifest.actions.limits === null && limits !== undefined && limits !== 'none') {
      return `safety.limits ${JSON.stringify(limits)}: must be none, the bundle states no limits`;
    }
    return undefined;
  }

  #apply(changes: ParameterValues): void {
    const instruction = changes.get('instruction');
    if (typeof instruction === 'string' && this.#configured) this.#setInstruction(instruction);
    if (changes.get('text_encoder.path') === '') this.#configured?.encoder.release();
    if (changes.has('control.rate') && this.#timer) this.#startTimer();
    if (this.#configured) {
      this.#configured.buffer.limits = observationLimits(this.#values);
      void this.#prepare(this.#configured.service);
    }
  }

  /** The parameter was set: empty stands for the bundle's only task, else none, and then no chunk is made. */
  #setInstruction(instruction: string): void {
    const bundle = this.#configured?.service.bundle;
    if (!bundle) return;
    const task = instruction === '' ? onlyInstruction(bundle) : instruction;
    if (task !== '') {
      this.#follow(task);
      this.#managed.bridge.report('instruction', this.#instruction);
      return;
    }
    this.#configured?.encoder.forget();
    this.#instruction = '';
    this.#managed.logger.info('no instruction: no chunk is made until there is one');
    this.#newEpisode();
  }

  /** Loads what a newly chosen policy needs before its first chunk, and says so: chunks wait for it. */
  async #prepare(service: PolicyService): Promise<void> {
    const settings = policySettings(this.#values);
    if (service.serves(settings)) return;
    const what = `the action expert with gates, which ${settings.policy} needs`;
    this.#managed.logger.info(`loading ${what}; the next chunk waits for it`);
    try {
      const seconds = await service.prepare(settings);
      this.#managed.logger.info(`loaded ${what}, in ${seconds.toFixed(1)} s`);
    } catch (error) {
      this.#managed.logger.error(`loading ${what}: ${messageOf(error)}`);
    }
  }

  // ----------------------------------------------------------------------------------------------------------- services

  #offerServices(): void {
    this.#node.createService<TriggerResponse>(
      'std_srvs/srv/Trigger',
      '~/reset_episode',
      {},
      (_request, response) => void this.#serveReset(response),
    );
    this.#node.createService<InferResponse>(
      'fast_wam_msgs/srv/Infer',
      '~/infer',
      {},
      (request, response) => void this.#serveInfer(request as InferRequest, response),
    );
  }

  async #serveReset(response: RosResponse<TriggerResponse>): Promise<void> {
    let answer: TriggerResponse = { success: false, message: 'the node is not active: there is no episode' };
    try {
      const producer = this.#configured?.producer;
      if (producer?.active) {
        await producer.reset();
        answer = { success: true, message: 'a new episode starts' };
      }
    } catch (error) {
      answer = { success: false, message: messageOf(error) };
    }
    if (!answer.success) this.#refused.requests += 1;
    this.#answer(response, answer);
  }

  async #serveInfer(request: InferRequest, response: RosResponse<InferResponse>): Promise<void> {
    try {
      const configured = this.#configured;
      if (!configured?.producer.active) throw new UsageError('the node is not active');
      const problem = request.instruction === '' ? undefined : this.#follow(request.instruction);
      if (problem !== undefined) throw new UsageError(problem);
      if (request.instruction !== '' && request.instruction !== this.#instruction) {
        throw new UsageError(
          `${JSON.stringify(request.instruction)} is being encoded and will be followed when that is done; ${this.#meanwhile()}`,
        );
      }
      const result = await configured.producer.request();
      if (!result.produced) throw new UsageError(result.problem);
      const chunk = actionChunkMessage(result.produced, configured.service.bundle.manifest.actions);
      this.#answer(response, { success: true, message: '', chunk });
    } catch (error) {
      this.#refused.requests += 1;
      this.#answer(response, { success: false, message: messageOf(error) });
    }
  }

  #answer<T extends object>(response: RosResponse<T>, answer: Partial<T>): void {
    try {
      response.send({ ...response.template, ...answer });
    } catch (error) {
      this.#managed.logger.error(`an answer could not be sent: ${messageOf(error)}`);
    }
  }

  // -------------------------------------------------------------------------------------------------------- diagnostics

  /** What is unwise about the settings in force, or does not fit any more (a schedule that went away). */
  #cacheWarning({ bundle }: PolicyService): string | undefined {
    try {
      return fit(policySettings(this.#values), modelFacts(bundle)).warning;
    } catch (error) {
      return messageOf(error);
    }
  }

  #statuses(): Status[] {
    const configured = this.#configured;
    const notices = [...(configured?.service.notices ?? [])];
    if (this.#unknownInstruction !== '') notices.unshift(this.#unknownInstruction);
    const encoder = configured?.encoder;
    if (encoder?.wanted !== undefined) notices.unshift(`${encoder.state}; ${this.#meanwhile()}`);
    const values = configured
      ? {
          bundle: configured.service.bundle.folder,
          instruction: this.#instruction,
          'text encoder': configured.encoder.state,
        }
      : { bundle: text(this.#values, 'bundle') };
    const refused = {
      'refused, instruction': this.#refused.instructions,
      'refused, request': this.#refused.requests,
    };
    const state = this.#managed.state({ ...values, ...refused }, notices);
    if (!configured) return [state];
    const { producer, sources, buffer, service } = configured;
    const reported = this.#reported;
    this.#reported = { late: producer.counts.late, failed: producer.counts.failed };
    return [
      state,
      observationStatus(sources.counts, producer, (topic) => this.#node.countPublishers(topic), buffer),
      inferenceStatus(producer, reported),
      cacheStatus(producer, this.#cacheWarning(service)),
      safetyStatus(producer, text(this.#values, 'safety.limits')),
    ];
  }
}
