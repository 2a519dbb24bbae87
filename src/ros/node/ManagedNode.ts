import type { ParameterSet } from '../../settings/ParameterSet';
import { BOND_PERIOD, DIAGNOSTICS_FULL_NAME } from '../../settings/nodeParameters';
import { number, boolean } from '../../settings/parameterValues';
import type { ParameterValues } from '../../settings/parameterValues';
import { UsageError } from '../../errors';
import { createLifecycleNode } from '../client/createNode';
import { guardNode } from '../client/guardNode';
import { qosProfiles } from '../client/qos';
import type { QosProfiles } from '../client/qos';
import type { Rclnodejs, RosLifecycleNode, RosLogger } from '../client/rclnodejs';
import { ClockWatch } from './ClockWatch';
import { Diagnostics, LEVEL } from './Diagnostics';
import type { Status } from './Diagnostics';
import { Lifecycle } from './Lifecycle';
import type { TransitionHandlers, TransitionName } from './Lifecycle';
import { stateStatus } from './stateStatus';
import { ManagerBond } from './ManagerBond';
import { ParameterBridge } from './ParameterBridge';
import { RepeatedProblems } from './RepeatedProblems';

export interface ManagedNodeOptions {
  readonly rclnodejs: Rclnodejs;
  readonly name: string;
  readonly parameters: ParameterSet;
  readonly handlers: TransitionHandlers;
  /** whether structural parameters may no longer change */
  readonly configured: () => boolean;
  /** a rule that needs more than the values; says why the changes cannot be made */
  readonly refuse?: (changes: ParameterValues) => string | undefined;
  readonly onChange: (changes: ParameterValues) => void;
  /** what the diagnostics belong to: model or robot */
  readonly hardwareId: () => string;
  readonly statuses: () => readonly Status[];
}

/**
 * What the managed nodes of this project have in common: they survive what others send, have a lifecycle whose
 * failures are told, parameters from a table, and diagnostics.
 */
export class ManagedNode {
  readonly node: RosLifecycleNode;
  readonly logger: RosLogger;
  readonly qos: QosProfiles;
  /** for what may go wrong many times a second */
  readonly repeated: RepeatedProblems;
  readonly lifecycle: Lifecycle;
  readonly bridge: ParameterBridge;
  readonly #values: ParameterValues;
  readonly #diagnostics: Diagnostics;
  readonly #clock: ClockWatch;
  readonly #bond: ManagerBond;
  #saidBondless = false;
  /** of requests, by what was asked for */
  readonly #refused = { transitions: 0, parameters: 0 };
  /** why the last transition failed; empty since one has succeeded */
  #failure = '';

  constructor(options: ManagedNodeOptions) {
    const { rclnodejs, parameters, handlers } = options;
    this.#values = parameters.values;
    this.qos = qosProfiles(rclnodejs);
    this.node = createLifecycleNode(rclnodejs, options.name);
    guardNode(this.node);
    this.logger = this.node.getLogger();
    this.repeated = new RepeatedProblems(this.logger);
    const withBond = (transition: TransitionName) => async (): Promise<void> => {
      // Only an active node has one, and whoever ends that tells its manager first.
      this.#bond.break();
      await handlers[transition]();
      this.#failure = '';
      if (transition === 'activate') this.#formBond();
    };
    this.#bond = new ManagerBond({
      node: this.node,
      qos: this.qos.command,
      onFormed: () => this.logger.info('bonded with the lifecycle manager'),
      onBroken: (how) =>
        this.logger.warn(`the lifecycle manager ${how}: its bond is broken; the node goes on`),
    });
    this.lifecycle = new Lifecycle({
      node: this.node,
      handlers: {
        configure: withBond('configure'),
        activate: withBond('activate'),
        deactivate: withBond('deactivate'),
        cleanup: withBond('cleanup'),
        shutdown: withBond('shutdown'),
        recover: () => handlers.recover(),
      },
      onFailure: (transition, reason) => this.#failed(transition, reason),
      onRefused: (transition, reason) => {
        this.#refused.transitions += 1;
        this.#failed(transition, reason);
      },
    });
    this.bridge = new ParameterBridge({
      rclnodejs,
      node: this.node,
      set: parameters,
      configured: options.configured,
      ...(options.refuse && { refuse: options.refuse }),
      onChange: (changes) => {
        if (changes.has('diagnostic_updater.period')) this.#diagnostics.setPeriod(this.#diagnosticsPeriod);
        options.onChange(changes);
      },
      onRefused: (reason) => {
        this.#refused.parameters += 1;
        this.repeated.warn(`parameter ${reason}`, `a parameter was not set: ${reason}`);
      },
    });
    for (const problem of this.bridge.problems) this.logger.error(problem);
    for (const warning of this.bridge.warnings) this.logger.warn(warning);
    this.#diagnostics = new Diagnostics(
      {
        node: this.node,
        hardwareId: options.hardwareId,
        qualified: () => boolean(this.#values, DIAGNOSTICS_FULL_NAME.name),
        statuses: () => [...options.statuses(), this.#clock.status],
      },
      this.#diagnosticsPeriod,
    );
    this.#clock = new ClockWatch(this.node, ({ level, message }) => {
      if (level === LEVEL.ok) this.logger.info(message);
      else this.logger.error(message);
      this.#diagnostics.publish();
    });
  }

  /** Why the node cannot do what was asked, one line each; empty if all is well. */
  get problems(): readonly string[] {
    return [...this.bridge.problems, ...(this.#failure === '' ? [] : [this.#failure])];
  }

  /** What the node is doing, what stands in its way, and what it has refused. */
  state(values: Status['values'], notices: readonly string[] = []): Status {
    return stateStatus(
      this.lifecycle.state,
      this.problems,
      {
        ...values,
        bond: this.#bond.state,
        'refused, transition': this.#refused.transitions,
        'refused, parameter': this.#refused.parameters,
      },
      [
        ...notices,
        ...(this.#bond.state === 'broken' ? ['the bond with the lifecycle manager is broken'] : []),
        ...this.bridge.misspelt,
      ],
    );
  }

  /** @throws UsageError where the launch said something that cannot be used */
  checkLaunch(): void {
    const [problem] = this.bridge.problems;
    if (problem !== undefined) throw new UsageError(problem);
  }

  /** Begins to serve; with `autostart`, configures and activates. */
  async start(): Promise<void> {
    this.node.spin();
    if (!boolean(this.#values, 'autostart')) return;
    if (await this.lifecycle.request('configure')) await this.lifecycle.request('activate');
  }

  /** Says nothing more; the transitions are not run. */
  stop(): void {
    this.#diagnostics.stop();
    this.#clock.stop();
    this.#bond.stop();
  }

  #formBond(): void {
    const period = number(this.#values, BOND_PERIOD.name);
    if (period === 0 || this.#bond.form(period) || this.#saidBondless) return;
    this.#saidBondless = true;
    this.logger.info(
      "no bond with a lifecycle manager: the package bond is not installed (nav2's manager then needs bond_timeout: 0.0)",
    );
  }

  #failed(transition: string, reason: string): void {
    this.#failure = `${transition}: ${reason}`;
    this.logger.error(this.#failure);
  }

  get #diagnosticsPeriod(): number {
    return number(this.#values, 'diagnostic_updater.period');
  }
}
