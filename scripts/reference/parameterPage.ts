import { constraintText, defaultValue, dependsOnModel } from '../../src/settings/Parameter';
import type { Parameter } from '../../src/settings/Parameter';
import type { ParameterTable } from '../../src/settings/ParameterTable';
import { EXECUTOR_PARAMETERS } from '../../src/settings/executorParameters';
import { POLICY_PARAMETERS } from '../../src/settings/policyParameters';
import { SIMULATED_ROBOT_PARAMETERS } from '../../src/settings/simulatedRobotParameters';
import { code, plain, table } from './markdown';

/** Parameters of the three nodes, from the tables that declare them. */
export function parameterPage(): string {
  return `# Parameters of the nodes

The same names are the keys of a params file, for the nodes and for \`fastwam replay\`, \`sweep\`, \`calibrate\` and \`infer\`.
_live_: at any time, \`ros2 param set NODE NAME VALUE\`, for the next chunk (policy) or the next step (executor) on; _before_:
only while the node is unconfigured. Names with \`<...>\` exist once for each camera or source that you name. Settings of the
caches, with sources: [Cache settings](cache-settings.md).

## Policy node

${parameters(POLICY_PARAMETERS)}

## Action executor

${parameters(EXECUTOR_PARAMETERS)}

## Simulated robot

${parameters(SIMULATED_ROBOT_PARAMETERS)}
`;
}

function parameters({ parameters: single, families }: ParameterTable): string {
  const all = [...single, ...families.map(({ pattern, parameter }) => ({ ...parameter, name: pattern }))];
  return table(['parameter', 'when', 'default', 'value', 'what it does'], all.map(row));
}

function row(parameter: Parameter): string[] {
  const { name, field, settable } = parameter;
  const constraint = constraintText({ ...parameter, settable: 'live' });
  const unit = field.unit === undefined ? '' : ` (${field.unit})`;
  return [
    code(name),
    settable === 'live' ? 'live' : 'before',
    defaultText(parameter),
    plain(`${typeText(parameter)}${constraint === '' ? '' : `, ${constraint}`}${unit}`),
    plain(field.description),
  ];
}

function defaultText(parameter: Parameter): string {
  if (parameter.fromOthers) return 'follows from others';
  if (dependsOnModel(parameter)) return `the bundle's`;
  const value = defaultValue(parameter);
  if (Array.isArray(value)) return value.length === 0 ? 'none' : code(`[${value.join(', ')}]`);
  return value === '' ? 'empty' : code(String(value));
}

function typeText({ field: { type } }: Parameter): string {
  switch (type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return 'whole number';
    case 'names':
      return 'list of names';
    case 'range':
      return 'two whole numbers';
    case 'steps':
      return 'step numbers';
    case 'text':
      return 'text';
    case 'number':
      return 'number';
    case 'enum':
    case 'policy':
      return 'word';
  }
}
