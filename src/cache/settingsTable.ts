import type { DefaultContext, Field } from './fields';
import { defaultOf, wordsOf } from './fieldValues';
import { parameterName } from './registry';
import type { CachePolicy } from './types';

/** What a field accepts, for people: `whole number, 0 to 10`, `affine or residual`. */
export function describeLimits(field: Field): string {
  switch (field.type) {
    case 'boolean':
      return 'true or false';
    case 'enum':
    case 'policy':
      return wordsOf(field).join(', ');
    case 'range':
      return 'start:end';
    case 'steps':
      return 'step numbers, for instance 0:8';
    case 'integer':
    case 'number':
      return `${field.type === 'integer' ? 'whole number' : 'number'}, ${field.min} to ${field.max}`;
  }
}

/** The default of a field for a model, for people. */
export function describeDefault(field: Field, context: DefaultContext): string {
  const value = defaultOf(field, context);
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

/** The settings of a policy as a Markdown table; defaults are those of the given model. */
export function settingsTable(policy: CachePolicy, context: DefaultContext): string {
  const rows = Object.entries(policy.fields).map(([name, field]) => {
    const unit = field.unit === undefined ? '' : ` (${field.unit})`;
    const cells = [
      `\`${name}\``,
      `\`${parameterName(policy, name)}\``,
      describeLimits(field) + unit,
      describeDefault(field, context),
      field.description,
      field.source,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  if (rows.length === 0) return 'It has no settings.';
  const head = '| name | ROS parameter | value | default | what it does | source of the default |';
  return [head, '| --- | --- | --- | --- | --- | --- |', ...rows].join('\n');
}

/** All policies with their settings, the content of docs/reference/cache-settings.md. */
export function settingsDocument(policies: readonly CachePolicy[], context: DefaultContext): string {
  const { steps, shift } = context.schedule;
  const sections = policies.map(
    (policy) =>
      `## \`${policy.name}\`\n\n${policy.title}. Source: ${policy.source}.\n\n${settingsTable(policy, context)}\n`,
  );
  return [
    '# Settings of the cache policies\n',
    `Defaults that depend on the model are those of ${steps} steps at shift ${shift}.`,
    'On the command line: `--policy NAME --set name=value`; live: `ros2 param set /fast_wam_policy PARAMETER VALUE`.\n',
    ...sections,
  ].join('\n');
}
