import { bundleSchema } from '../../src/bundle/schema';
import { modelConfigSchema } from '../../src/export/modelConfig';
import { robotSchema } from '../../src/export/robot';
import { INPUT_TENSORS, OUTPUT_TENSORS } from './recordedTensors';
import type { RecordedTensor } from './recordedTensors';
import { code, table } from './markdown';
import { schemaTable } from './schemaTable';

const tensors = (list: readonly RecordedTensor[]): string =>
  table(
    ['tensor', 'type', 'shape', 'what it is'],
    list.map(({ name, type, shape, text }) => [code(name), type, code(shape), text]),
  );

/** The files that users write and read, from the schemas by which they are read. */
export function filePage(): string {
  return `# Files

Keys that are not listed are refused, with the nearest one that is. A key below a mapping that may be left out must be there
only where the mapping is. Params files: [Parameters](parameters.md). Reports: [Files of a report](report-files.md).

## robot.yaml

What no checkpoint says about the robot, for \`fastwam export --robot\` (YAML or JSON). Everything may be left out; what is said
goes before \`--config\`. Examples: \`bundles/tabletop/robot.yaml\` and those in \`params/robots/\`.

${schemaTable(robotSchema)}

## config.json

The sizes of a model, for \`fastwam export --config\` and \`fastwam synth --config\` (JSON or YAML); \`libero\` and \`robotwin\` are built
in. What the weights say too is checked against them, and what they do not say must be there. Example:
\`bundles/tabletop/checkpoint/config.json\`.

${schemaTable(modelConfigSchema)}

## The inputs of fastwam infer

Safetensors with one row for each chunk of an episode. \`fastwam synth\` writes one, \`episode.safetensors\`, beside its checkpoint.

${tensors(INPUT_TENSORS)}

It writes:

${tensors(OUTPUT_TENSORS)}

## bundle.json

Written by \`fastwam export\`, version 1; a reader refuses other versions in a sentence. Beside it lie the graphs it names, and
\`bac_schedules.json\` once \`fastwam calibrate\` has been run.

${schemaTable(bundleSchema)}
`;
}
