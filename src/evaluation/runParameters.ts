import { UsageError } from '../errors';
import type { ModelFacts } from '../settings/Parameter';
import { ParameterSet } from '../settings/ParameterSet';
import type { ParameterValue } from '../settings/parameterFile';
import { problemWithTogether } from '../settings/parameterValues';
import { readMapping } from '../settings/mapping';
import type { FileMapping } from '../settings/mapping';
import { POLICY_PARAMETERS } from '../settings/policyParameters';

/** Parameters that ROS 2 gives to every node; a recording has no use for them. */
const OF_EVERY_NODE = /^(use_sim_time$|start_type_description_service$|qos_overrides\.)/;

/** Parameters of other nodes that are named one by one. */
const NAMED = 5;

/** The node's params file as a replay reads it: topics, and the parameters it sets. */
export interface RunParameters {
  readonly mapping: FileMapping;
  readonly set: ParameterSet;
  /** what of the file was passed over, one line each */
  readonly warnings: readonly string[];
}

/**
 * Reads a params file and checks every parameter as the node would.
 * @throws UsageError with file and line
 */
export function readRunParameters(path: string): RunParameters {
  const mapping = readMapping(path);
  const set = new ParameterSet(POLICY_PARAMETERS, problemWithTogether);
  const changes = new Map<string, ParameterValue>();
  const undeclared: { readonly name: string; readonly line: number }[] = [];
  for (const { name, value, line, shared } of mapping.parameters.values()) {
    if (OF_EVERY_NODE.test(name)) continue;
    if (shared && set.table.find(name) === undefined) {
      undeclared.push({ name, line });
      continue;
    }
    const problem = set.problemWith(new Map([[name, value]]), false);
    if (problem !== undefined) throw new UsageError(`${path}:${line}: ${problem}`);
    changes.set(name, value);
  }
  set.apply(changes);
  return {
    mapping,
    set,
    warnings: [
      ...undeclared
        .slice(0, NAMED)
        .map(
          ({ name, line }) =>
            `${path}:${line}: ${set.table.unknown(name)}; passed over, since the section is for other nodes too`,
        ),
      ...(undeclared.length > NAMED
        ? [`${path}: ${undeclared.length - NAMED} more parameters are not declared by this node; passed over`]
        : []),
    ],
  };
}

/**
 * Holds the parameters against the model that they are to be used with.
 * @throws UsageError for what does not fit it
 */
export function useModel({ mapping, set }: RunParameters, model: ModelFacts): void {
  const problem = set.problemWithModel(model);
  if (problem !== undefined) throw new UsageError(`${mapping.file}: ${problem}`);
  set.useModel(model);
}
