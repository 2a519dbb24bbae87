import type { Peer } from './Peer';

export interface Result {
  readonly successful: boolean;
  readonly reason: string;
}
export interface Diagnostics {
  readonly status: readonly {
    readonly level: number;
    readonly name: string;
    readonly message: string;
    readonly values: readonly { readonly key: string; readonly value: string }[];
  }[];
}
export interface Served {
  readonly success: boolean;
  readonly message: string;
}

/** A value as rcl_interfaces/msg/ParameterValue. */
function parameterValue(value: unknown): object {
  if (typeof value === 'boolean') return { type: 1, bool_value: value };
  if (typeof value === 'string') return { type: 4, string_value: value };
  if (Array.isArray(value)) {
    return typeof value[0] === 'string'
      ? { type: 9, string_array_value: value }
      : { type: 7, integer_array_value: value };
  }
  return Number.isInteger(value) ? { type: 2, integer_value: value } : { type: 3, double_value: value };
}

/** A managed node, seen through its services and diagnostics. */
export class Remote {
  constructor(
    readonly peer: Peer,
    readonly name = '/fast_wam_policy',
  ) {}

  async transition(label: string): Promise<boolean> {
    const { success } = await this.peer.call<Served>(
      `${this.name}/change_state`,
      'lifecycle_msgs/srv/ChangeState',
      {
        transition: { label },
      },
    );
    return success;
  }

  async state(): Promise<string> {
    const { current_state } = await this.peer.call<{ current_state: { label: string } }>(
      `${this.name}/get_state`,
      'lifecycle_msgs/srv/GetState',
    );
    return current_state.label;
  }

  async set(values: Readonly<Record<string, unknown>>): Promise<Result[]> {
    const { results } = await this.peer.call<{ results: Result[] }>(
      `${this.name}/set_parameters`,
      'rcl_interfaces/srv/SetParameters',
      { parameters: Object.entries(values).map(([name, value]) => ({ name, value: parameterValue(value) })) },
    );
    return results;
  }

  async setTogether(values: Readonly<Record<string, unknown>>): Promise<Result> {
    const { result } = await this.peer.call<{ result: Result }>(
      `${this.name}/set_parameters_atomically`,
      'rcl_interfaces/srv/SetParametersAtomically',
      { parameters: Object.entries(values).map(([name, value]) => ({ name, value: parameterValue(value) })) },
    );
    return result;
  }

  async get(name: string): Promise<Readonly<Record<string, unknown>>> {
    const { values } = await this.peer.call<{ values: Record<string, unknown>[] }>(
      `${this.name}/get_parameters`,
      'rcl_interfaces/srv/GetParameters',
      { names: [name] },
    );
    return values[0]!;
  }

  /** How many diagnostics there are: where {@link status} is to look from for what may come before it is called. */
  get mark(): number {
    return this.peer.on('/diagnostics').length;
  }

  /** The node's name in its diagnostics: with its namespace, if it is in one. */
  get #named(): string {
    const [, first = '', ...rest] = this.name.split('/');
    return rest.length === 0 ? first : this.name;
  }

  /** The first status of the node's diagnostics that fits, of those that come from now on, or since a mark. */
  async status(
    task: string,
    fits: (message: string, status: Diagnostics['status'][number]) => boolean,
    from = this.mark,
  ): Promise<Diagnostics['status'][number]> {
    const find = ({ status }: Diagnostics): Diagnostics['status'][number] | undefined =>
      status.find((entry) => entry.name === `${this.#named}: ${task}` && fits(entry.message, entry));
    return find(await this.peer.message<Diagnostics>('/diagnostics', (m) => find(m) !== undefined, from))!;
  }
}
