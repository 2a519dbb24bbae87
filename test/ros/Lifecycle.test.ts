import { describe, expect, it } from 'vitest';
import { Lifecycle } from '../../src/ros/node/Lifecycle';
import type { TransitionHandlers } from '../../src/ros/node/Lifecycle';
import type {
  ChangeStateRequest,
  ChangeStateResponse,
  LabelledId,
  RosLifecycleNode,
  RosResponse,
  TransitionDescription,
} from '../../src/ros/client/rclnodejs';
import { standIn } from '../standIn';

/** The state machine of lifecycle_msgs, as far as this project uses it: state, transition, next state. */
const MACHINE: readonly (readonly [from: string, id: number, label: string, to: string])[] = [
  ['unconfigured', 1, 'configure', 'configuring'],
  ['configuring', 10, 'transition_success', 'inactive'],
  ['configuring', 11, 'transition_failure', 'unconfigured'],
  ['configuring', 12, 'transition_error', 'errorprocessing'],
  ['inactive', 2, 'cleanup', 'cleaningup'],
  ['cleaningup', 20, 'transition_success', 'unconfigured'],
  ['cleaningup', 22, 'transition_error', 'errorprocessing'],
  ['inactive', 3, 'activate', 'activating'],
  ['activating', 30, 'transition_success', 'active'],
  ['activating', 31, 'transition_failure', 'inactive'],
  ['active', 4, 'deactivate', 'deactivating'],
  ['deactivating', 40, 'transition_success', 'inactive'],
  ['deactivating', 42, 'transition_error', 'errorprocessing'],
  ['unconfigured', 5, 'shutdown', 'shuttingdown'],
  ['inactive', 6, 'shutdown', 'shuttingdown'],
  ['active', 7, 'shutdown', 'shuttingdown'],
  ['shuttingdown', 50, 'transition_success', 'finalized'],
  ['shuttingdown', 52, 'transition_error', 'errorprocessing'],
  ['errorprocessing', 60, 'transition_success', 'unconfigured'],
  ['errorprocessing', 61, 'transition_failure', 'finalized'],
];

/** rclnodejs' node as Lifecycle needs it: every half of a transition ends in the callback, which throws. */
class FakeNode implements Partial<RosLifecycleNode> {
  state = 'unconfigured';
  readonly passed: string[] = [];

  get currentState(): LabelledId {
    return { id: 0, label: this.state };
  }

  get availableTransitions(): readonly TransitionDescription[] {
    return MACHINE.filter(([from]) => from === this.state).map(([from, id, label, to]) => ({
      transition: { id, label },
      startState: { id: 0, label: from },
      goalState: { id: 0, label: to },
    }));
  }

  _executeCallback = (): number => 0;
  _onChangeState = (request: ChangeStateRequest, response: RosResponse<ChangeStateResponse>): void => {
    response.send({ ...response.template, success: request.transition.id < 0 });
  };

  _changeState(wanted: number | string): LabelledId {
    const row = MACHINE.find(
      ([from, id, label]) => from === this.state && (id === wanted || label === wanted),
    );
    if (!row) throw new Error(`the state machine has no ${wanted} in ${this.state}`);
    this.state = row[3];
    this.passed.push(this.state);
    this._executeCallback();
    return this.currentState;
  }
}

function setUp(handlers: Partial<TransitionHandlers> = {}) {
  const node = new FakeNode();
  const failures: string[] = [];
  const nothing = (): void => undefined;
  const lifecycle = new Lifecycle({
    node: standIn<RosLifecycleNode>(node),
    handlers: {
      configure: nothing,
      activate: nothing,
      deactivate: nothing,
      cleanup: nothing,
      shutdown: nothing,
      recover: nothing,
      ...handlers,
    },
    onFailure: (transition, reason) => failures.push(`${transition}: ${reason}`),
    onRefused: (transition, reason) => failures.push(`${transition}: ${reason}`),
  });
  /** A request from another process. @returns the answer's `success` */
  const ask = (label: string, id = 0): Promise<boolean> =>
    new Promise((resolve) =>
      node._onChangeState(
        { transition: { id, label } },
        {
          template: { success: false },
          send: ({ success }: ChangeStateResponse) => resolve(success),
        },
      ),
    );
  return { node, lifecycle, failures, ask };
}
const fail = (reason: string) => (): never => {
  throw new Error(reason);
};

describe('the lifecycle of a node', () => {
  it('leads through every state and back, asked by label or by number', async () => {
    const { node, lifecycle, failures, ask } = setUp();
    expect(await ask('configure')).toBe(true);
    expect(await ask('', 3)).toBe(true);
    expect(lifecycle.state).toBe('active');
    expect(await ask('deactivate')).toBe(true);
    expect(await ask('cleanup')).toBe(true);
    expect(lifecycle.state).toBe('unconfigured');
    expect(await lifecycle.request('shutdown')).toBe(true);
    expect(lifecycle.state).toBe('finalized');
    expect(failures).toEqual([]);
    expect(node.passed.slice(0, 4)).toEqual(['configuring', 'inactive', 'activating', 'active']);
  });

  it('refuses what is not possible in a state, says what is, and stays there', async () => {
    const { lifecycle, failures, ask } = setUp();
    expect(await ask('activate')).toBe(false);
    expect(await ask('', 99)).toBe(false);
    expect(await ask('explode')).toBe(false);
    expect(lifecycle.state).toBe('unconfigured');
    expect(failures).toEqual([
      'activate: refused: not possible while unconfigured; possible are configure, shutdown',
      'number 99: refused: not possible while unconfigured; possible are configure, shutdown',
      'explode: refused: not possible while unconfigured; possible are configure, shutdown',
    ]);
    expect(await ask('configure')).toBe(true);
  });

  it('lets nobody else end a transition that is under way, nor begin another', async () => {
    let finish = (): void => undefined;
    const { lifecycle, failures, ask } = setUp({
      configure: () => new Promise<void>((resolve) => (finish = resolve)),
    });
    const configured = ask('configure');
    expect([lifecycle.state, lifecycle.running]).toEqual(['configuring', 'configure']);
    expect(await ask('configure')).toBe(false);
    expect(await ask('transition_success')).toBe(false);
    expect(await lifecycle.request('shutdown')).toBe(false);
    expect(failures).toEqual([
      'configure: refused: configure is still under way',
      'transition_success: refused: configure is still under way',
      'shutdown: refused: configure is still under way',
    ]);
    finish();
    expect(await configured).toBe(true);
    expect([lifecycle.state, lifecycle.running]).toEqual(['inactive', undefined]);
  });

  it('goes back after a failed configure or activate, with the reason, and can be asked again', async () => {
    let fails = true;
    const sometimes = (): Promise<void> =>
      fails ? Promise.reject(new Error('no bundle')) : Promise.resolve();
    const { lifecycle, failures, ask } = setUp({ configure: sometimes, activate: sometimes });
    expect(await ask('configure')).toBe(false);
    expect(lifecycle.state).toBe('unconfigured');
    fails = false;
    expect(await ask('configure')).toBe(true);
    fails = true;
    expect(await ask('activate')).toBe(false);
    expect(lifecycle.state).toBe('inactive');
    expect(failures).toEqual(['configure: no bundle', 'activate: no bundle']);
  });

  it('recovers to unconfigured from a failure that leaves no way back', async () => {
    let recovered = 0;
    const { node, lifecycle, failures, ask } = setUp({
      deactivate: fail('the timer is stuck'),
      recover: () => {
        recovered += 1;
      },
    });
    await ask('configure');
    await ask('activate');
    expect(await ask('deactivate')).toBe(false);
    expect([lifecycle.state, recovered]).toEqual(['unconfigured', 1]);
    expect(node.passed.slice(-2)).toEqual(['errorprocessing', 'unconfigured']);
    expect(failures).toEqual(['deactivate: the timer is stuck']);
    expect(await ask('configure')).toBe(true);
  });

  it('is finalized where even the recovery fails, and says both reasons', async () => {
    const { lifecycle, failures, ask } = setUp({ cleanup: fail('held'), recover: fail('still held') });
    await ask('configure');
    expect(await ask('cleanup')).toBe(false);
    expect(lifecycle.state).toBe('finalized');
    expect(failures).toEqual(['cleanup: held', 'recover: still held']);
    expect(await ask('configure')).toBe(false);
  });

  it('answers even where the state machine itself fails', async () => {
    const { node, lifecycle, failures, ask } = setUp();
    node._changeState = fail('rcl is gone');
    const broken = new Lifecycle({
      node: standIn<RosLifecycleNode>(node),
      handlers: {
        configure: () => undefined,
        activate: () => undefined,
        deactivate: () => undefined,
        cleanup: () => undefined,
        shutdown: () => undefined,
        recover: () => undefined,
      },
      onFailure: (transition, reason) => failures.push(`${transition}: ${reason}`),
      onRefused: (transition, reason) => failures.push(`${transition}: ${reason}`),
    });
    expect(await ask('configure')).toBe(false);
    expect(failures).toEqual(['configure: rcl is gone']);
    expect([broken.running, lifecycle.running]).toEqual([undefined, undefined]);
  });
});
