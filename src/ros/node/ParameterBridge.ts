import { messageOf } from '../../errors';
import { constraintText, descriptionText } from '../../settings/Parameter';
import type { ModelFacts, Parameter } from '../../settings/Parameter';
import { DIAGNOSTICS_FULL_NAME } from '../../settings/nodeParameters';
import type { ParameterSet } from '../../settings/ParameterSet';
import type { ParameterValue } from '../../settings/parameterFile';
import type { ParameterValues } from '../../settings/parameterValues';
import type {
  Rclnodejs,
  RosNode,
  RosParameter,
  RosParameterDescriptor,
  SetParametersResult,
} from '../client/rclnodejs';
import { quoted } from '../../words/quoted';
import { QosOverrides, isQosOverride } from './qosOverrides';
import { listParameters } from './listParameters';
import { fromMessage, fromRos, rosType, sameValue, toRos } from './parameterValues';

export interface ParameterBridgeOptions {
  readonly rclnodejs: Rclnodejs;
  readonly node: RosNode;
  readonly set: ParameterSet;
  /** whether structural parameters may no longer change */
  readonly configured: () => boolean;
  /** a rule that needs more than the values; says why the changes cannot be made */
  readonly refuse?: (changes: ParameterValues) => string | undefined;
  /** told after something was changed, of what was */
  readonly onChange: (changes: ParameterValues) => void;
  /** told of every request that was refused */
  readonly onRefused?: (reason: string) => void;
}

/** Parameters that ROS itself gives every node. */
const OF_ROS = /^(use_sim_time|start_type_description_service|qos_overrides\..*)$/;

/**
 * The parameters of a node as ROS sees them, with the values and rules of a {@link ParameterSet}: declares them with
 * range and text, takes what the launch said, and decides over every request to change them.
 */
export class ParameterBridge {
  readonly #options: ParameterBridgeOptions;
  readonly #setInRos: (parameters: readonly RosParameter[]) => SetParametersResult;
  /** what the launch said that cannot be used, by parameter */
  readonly #problems = new Map<string, string>();
  /** what a section of a params file said that is for other nodes too, and that this one does not have */
  readonly #passedOver: string[] = [];

  constructor(options: ParameterBridgeOptions) {
    this.#options = options;
    const { node, set, rclnodejs } = options;
    const setAtomically = node._setParametersAtomically.bind(node);
    this.#setInRos = (parameters) => setAtomically(parameters);
    const { overrides, shared } = overridesOf(node);
    this.#applyOverrides(overrides, shared);
    const qos = new QosOverrides(rclnodejs, overrides);
    for (const [name, problem] of qos.problems) this.#problems.set(name, problem);
    qos.applyTo(node);
    const { name: fullName } = DIAGNOSTICS_FULL_NAME;
    if (!set.explicit.has(fullName)) set.report(fullName, node.namespace() !== '/');
    for (const parameter of set.table.parameters) this.#declare(parameter);
    for (const [name, value] of overrides) {
      if (isQosOverride(name)) this.#declareReadOnly(value);
      else this.#declareMember(name);
    }
    // Requests of others go through the table: rclnodejs refuses with misleading words, and throws on what it should
    // refuse (an unknown type, a list of integers).
    const service = node._parameterService;
    service._handleSetParameters = ({ parameters }, response) =>
      response.send({ results: parameters.map((parameter) => this.#change([fromMessage(parameter)])) });
    service._handleSetParametersAtomically = ({ parameters }, response) =>
      response.send({ result: this.#change(parameters.map(fromMessage)) });
    // rclnodejs takes prefixes for beginnings of words, and forgets a depth below them.
    service._handleListParameters = (request, response) =>
      response.send({ result: listParameters(node.getParameterNames(), request) });
    // It leaves out what is not declared, so that the rest no longer stands beside its names.
    service._handleGetParameterTypes = ({ names }, response) =>
      response.send({ types: names.map((name) => node.getParameter(name).type) });
    // Constructing the node knew only '/**' and the bare name; see overridesOf.
    const simTime = overrides.get('use_sim_time');
    if (simTime) this.#setInRos([new rclnodejs.Parameter('use_sim_time', simTime.type, simTime.value)]);
  }

  /** What the launch said that cannot be used; empty if all is well. */
  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  /** Parameters of the launch that this node does not have, in a section that is for other nodes too; one line each. */
  get warnings(): readonly string[] {
    const { table } = this.#options.set;
    return this.#passedOver.map(
      (name) => `${table.unknown(name)}; passed over, since its section is for other nodes too`,
    );
  }

  /** Those of {@link warnings} that look misspelt, rather than meant for another node. */
  get misspelt(): readonly string[] {
    const { table } = this.#options.set;
    return this.#passedOver
      .filter((name) => table.nearest(name) !== undefined)
      .map((name) => table.unknown(name));
  }

  /** Makes members of a family known, so that they are listed and can be described: `cameras.front.topic`. */
  declareMembers(names: readonly string[]): void {
    for (const name of names) this.#declareMember(name);
  }

  /** Holds the values against this model, or none, from now on; defaults that depend on it follow. */
  useModel(model: ModelFacts | undefined): void {
    const { set, rclnodejs } = this.#options;
    const parameters = [...set.useModel(model)].flatMap(([name, value]) => {
      const field = set.table.find(name)?.field;
      return field ? [toRos(rclnodejs, name, field, value)] : [];
    });
    if (parameters.length > 0) this.#setInRos(parameters);
  }

  /** Tells all who look of a value that the node has found by itself. */
  report(name: string, value: ParameterValue): void {
    const { set, rclnodejs } = this.#options;
    const field = set.table.find(name)?.field;
    if (!field || set.values.get(name) === value) return;
    set.report(name, value);
    this.#setInRos([toRos(rclnodejs, name, field, value)]);
  }

  #applyOverrides(overrides: ReadonlyMap<string, RosParameter>, shared: ReadonlySet<string>): void {
    const { set } = this.#options;
    for (const [name, parameter] of overrides) {
      if (OF_ROS.test(name)) continue;
      const field = set.table.find(name)?.field;
      if (!field && shared.has(name)) {
        this.#passedOver.push(name);
        continue;
      }
      const value = field && fromRos(field, parameter);
      const changes = value === undefined ? undefined : new Map([[name, value]]);
      const problem = changes ? set.problemWith(changes, false) : set.table.unknown(name);
      if (problem !== undefined) this.#problems.set(name, problem);
      else if (changes) set.apply(changes);
    }
  }

  #declareMember(name: string): void {
    const { node, set } = this.#options;
    if (node.hasParameter(name)) return;
    const parameter = set.table.find(name);
    if (parameter) this.#declare(parameter);
  }

  #declare(parameter: Parameter): void {
    const { rclnodejs, node, set } = this.#options;
    const { name, field } = parameter;
    const value = set.values.get(name) ?? set.initialValue(parameter);
    node.declareParameter(toRos(rclnodejs, name, field, value), describe(rclnodejs, parameter), true);
  }

  /** Shown to who asks, and kept as it is. */
  #declareReadOnly(parameter: RosParameter): void {
    const { rclnodejs, node } = this.#options;
    const { name, type } = parameter;
    const text = 'quality of service of one topic; read when the node starts';
    node.declareParameter(parameter, new rclnodejs.ParameterDescriptor(name, type, text, true), true);
  }

  #change(parameters: readonly RosParameter[]): SetParametersResult {
    let result: SetParametersResult;
    try {
      result = this.#tryToChange(parameters);
    } catch (error) {
      result = refused(messageOf(error));
    }
    if (!result.successful) this.#options.onRefused?.(result.reason);
    return result;
  }

  #tryToChange(parameters: readonly RosParameter[]): SetParametersResult {
    const { rclnodejs, node, set, configured, refuse, onChange } = this.#options;
    const requested = new Map<string, ParameterValue>();
    const inRos: RosParameter[] = [];
    for (const parameter of parameters) {
      const { name } = parameter;
      const field = set.table.find(name)?.field;
      if (!field) {
        if (node.hasParameter(name) && sameValue(node.getParameter(name), parameter)) continue;
        if (isQosOverride(name))
          return refused(
            `${quoted(name)} is read when the node starts: put it into the params file or after -p, and start the node again`,
          );
        if (!node.hasParameter(name)) return refused(set.table.unknown(name));
        if (node.getParameterDescriptor(name).readOnly)
          return refused(`${quoted(name)} cannot be set while the node runs; say it when the node starts`);
        inRos.push(new rclnodejs.Parameter(name, parameter.type, parameter.value));
        continue;
      }
      const value = fromRos(field, parameter);
      if (value === undefined) return refused(`${quoted(name)} belongs to the node and cannot be deleted`);
      requested.set(name, value);
    }
    const changes = set.changed(requested);
    const problem = set.problemWith(changes, configured()) ?? refuse?.(changes);
    if (problem !== undefined) return refused(problem);
    this.declareMembers([...requested.keys()]);
    for (const [name, value] of requested) {
      const field = set.table.find(name)?.field;
      if (field) inRos.push(toRos(rclnodejs, name, field, value));
    }
    if (inRos.length === 0) return { successful: true, reason: '' };
    const result = this.#setInRos(inRos);
    if (!result.successful) return result;
    set.apply(requested);
    for (const name of requested.keys()) this.#problems.delete(name);
    if (changes.size > 0) {
      this.#showDefaults();
      onChange(changes);
    }
    return result;
  }

  /** Shows the defaults anew that follow from other parameters. */
  #showDefaults(): void {
    const { rclnodejs, node, set } = this.#options;
    for (const name of node.getParameterNames()) {
      const parameter = set.table.find(name);
      if (!parameter?.fromOthers || set.explicit.has(name)) continue;
      const value = toRos(rclnodejs, name, parameter.field, set.initialValue(parameter));
      if (!sameValue(node.getParameter(name), value)) this.#setInRos([value]);
    }
  }
}

function refused(reason: string): SetParametersResult {
  return { successful: false, reason };
}

/** The section of a params file that is for every node. */
const EVERY_NODE = '/**';

/**
 * What the command line and params files say for a node. rclnodejs looks under `/**` and the node's bare name only;
 * with the name shadowed it looks under the others by which a file may mean this node, and launch always does.
 * `shared`: what stands under `/**` alone.
 */
function overridesOf(node: RosNode): {
  readonly overrides: ReadonlyMap<string, RosParameter>;
  readonly shared: ReadonlySet<string>;
} {
  const bare = node.name();
  const under = (key: string): ReadonlyMap<string, RosParameter> => {
    Object.defineProperty(node, 'name', { value: () => key, configurable: true });
    try {
      return node._getNativeParameterOverrides();
    } finally {
      delete (node as { name?: unknown }).name;
    }
  };
  const everyNodes = under(EVERY_NODE);
  const overrides = new Map(everyNodes);
  // What is said to this program is said to this node, though rcl files it under `/**`.
  const own = new Set(namesOnCommandLine(process.argv));
  for (const key of [bare, `/**/${bare}`, node.getFullyQualifiedName()]) {
    for (const [name, parameter] of under(key)) {
      overrides.set(name, parameter);
      if (everyNodes.get(name)?.value !== parameter.value) own.add(name);
    }
  }
  return { overrides, shared: new Set([...everyNodes.keys()].filter((name) => !own.has(name))) };
}

/** The parameters that a command line sets: `-p name:=value`, `--param node:name:=value`. */
function namesOnCommandLine(argv: readonly string[]): readonly string[] {
  return argv.flatMap((argument, i) => {
    if (argument !== '-p' && argument !== '--param') return [];
    const [rule = ''] = (argv[i + 1] ?? '').split(':=');
    return [rule.split(':').pop() ?? rule];
  });
}

/** The descriptor with its range in the message, where rclnodejs forgets it. */
function describe({ ParameterDescriptor }: Rclnodejs, parameter: Parameter): RosParameterDescriptor {
  const { name, field } = parameter;
  const descriptor = new ParameterDescriptor(name, rosType(field), descriptionText(parameter));
  descriptor.additionalConstraints = constraintText(parameter);
  const toMessage = descriptor.toMessage.bind(descriptor);
  descriptor.toMessage = () => ({ ...toMessage(), ...rangeMessage(field) });
  return descriptor;
}

function rangeMessage(field: Parameter['field']): object {
  if (field.type === 'integer') {
    return { integer_range: [{ from_value: BigInt(field.min), to_value: BigInt(field.max), step: 1n }] };
  }
  if (field.type === 'number') {
    return { floating_point_range: [{ from_value: field.min, to_value: field.max, step: 0 }] };
  }
  return {};
}
