import { messageOf } from '../../errors';
import type {
  ChangeStateRequest,
  ChangeStateResponse,
  LabelledId,
  RosLifecycleNode,
  RosResponse,
} from '../client/rclnodejs';

export type TransitionName = 'configure' | 'activate' | 'deactivate' | 'cleanup' | 'shutdown';
export type PrimaryState = 'unconfigured' | 'inactive' | 'active' | 'finalized';

/**
 * What a node does in its transitions. A handler that throws has failed: `configure` and `activate` lead back to
 * where they came from and can be tried again; after any other, `recover` must free what is left, and the node is
 * unconfigured.
 */
export interface TransitionHandlers extends Readonly<Record<TransitionName, () => Promise<void> | void>> {
  recover(): Promise<void> | void;
}

export interface LifecycleOptions {
  readonly node: RosLifecycleNode;
  readonly handlers: TransitionHandlers;
  /** Told of every transition that failed, with the reason. */
  readonly onFailure: (transition: string, reason: string) => void;
  /** Told of every request that was refused, with the reason. */
  readonly onRefused: (transition: string, reason: string) => void;
}

/** Ends a transition of rclnodejs half-way; see {@link Lifecycle}. */
class Halt extends Error {}

/**
 * The managed states of a node, with transitions that may take time. rclnodejs runs a transition in one synchronous
 * piece: into the transition state, callback, out of it. Here its callback always halts, so that each half can be
 * made on its own: the node is in `configuring` for as long as that takes, says so, and answers everything else.
 * While a transition runs, and where the state machine has no such transition, a request is refused.
 */
export class Lifecycle {
  readonly #node: RosLifecycleNode;
  readonly #handlers: TransitionHandlers;
  readonly #onFailure: LifecycleOptions['onFailure'];
  readonly #onRefused: LifecycleOptions['onRefused'];
  readonly #changeState: (transition: number | string) => LabelledId;
  #running: string | undefined;

  constructor({ node, handlers, onFailure, onRefused }: LifecycleOptions) {
    this.#node = node;
    this.#handlers = handlers;
    this.#onFailure = onFailure;
    this.#onRefused = onRefused;
    this.#changeState = node._changeState.bind(node);
    node._executeCallback = () => {
      throw new Halt();
    };
    node._onChangeState = (request, response) => void this.#serve(request, response);
  }

  /** The state or transition state, in lower case: `inactive`, `configuring`. */
  get state(): string {
    return this.#node.currentState.label;
  }

  /** The transition that is under way; undefined if none is. */
  get running(): string | undefined {
    return this.#running;
  }

  /** Requests a transition from inside. @returns whether it succeeded */
  request(transition: TransitionName): Promise<boolean> {
    return this.#request({ id: 0, label: transition });
  }

  async #serve(request: ChangeStateRequest, response: RosResponse<ChangeStateResponse>): Promise<void> {
    let success = false;
    try {
      success = await this.#request(request.transition);
    } catch (error) {
      this.#onFailure(request.transition.label || String(request.transition.id), messageOf(error));
    }
    try {
      response.send({ ...response.template, success });
    } catch (error) {
      this.#onFailure('answer', messageOf(error));
    }
  }

  async #request(wanted: LabelledId): Promise<boolean> {
    const asked = wanted.label || `number ${wanted.id}`;
    if (this.#running !== undefined) {
      this.#onRefused(asked, `refused: ${this.#running} is still under way`);
      return false;
    }
    const found = this.#node.availableTransitions.find(({ transition }) =>
      wanted.label ? transition.label === wanted.label : transition.id === wanted.id,
    )?.transition;
    const handler = found && this.#handlerOf(found.label);
    if (!found || !handler) {
      const possible = this.#node.availableTransitions.map(({ transition }) => transition.label);
      this.#onRefused(
        asked,
        `refused: not possible while ${this.state}; possible are ${possible.join(', ')}`,
      );
      return false;
    }
    this.#running = found.label;
    try {
      this.#step(found.id);
      return await this.#run(found.label, handler);
    } finally {
      this.#running = undefined;
    }
  }

  async #run(label: string, handler: () => Promise<void> | void): Promise<boolean> {
    try {
      await handler();
    } catch (error) {
      this.#onFailure(label, messageOf(error));
      if (label === 'configure' || label === 'activate') {
        this.#step('transition_failure');
        return false;
      }
      this.#step('transition_error');
      await this.#recover();
      return false;
    }
    this.#step('transition_success');
    return true;
  }

  async #recover(): Promise<void> {
    try {
      await this.#handlers.recover();
      this.#step('transition_success');
    } catch (error) {
      this.#onFailure('recover', messageOf(error));
      this.#step('transition_failure'); // finalized: nothing more can be done
    }
  }

  #handlerOf(label: string): (() => Promise<void> | void) | undefined {
    switch (label) {
      case 'configure':
      case 'activate':
      case 'deactivate':
      case 'cleanup':
      case 'shutdown':
        return () => this.#handlers[label]();
      default:
        return undefined;
    }
  }

  /** One half of a transition: moves the state machine, and publishes the event. */
  #step(transition: number | string): void {
    try {
      this.#changeState(transition);
    } catch (error) {
      if (!(error instanceof Halt)) throw error;
    }
  }
}
