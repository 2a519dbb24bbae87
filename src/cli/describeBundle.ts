import type { Bundle } from '../bundle/Bundle';
import { elementCount } from '../formats/StoredTensor';
import type { TensorFile } from '../formats/StoredTensor';
import { plainText } from '../plainText';

/** A bundle in words, for a terminal. */
export function describeBundle(bundle: Bundle): string {
  const { manifest, dimensions: d, schedule } = bundle;
  const { actions, proprio, control } = manifest;
  const encoder = manifest.text?.encoder;
  const limits =
    actions.limits === null
      ? 'not stated: the node refuses to drive a robot'
      : actions.limits === 'none'
        ? 'none'
        : Object.keys(actions.limits).join(', ');
  const rows: [string, string][] = [
    ['name', manifest.name],
    ['weights', describeWeights(bundle.policyWeights)],
    ['vae', describeWeights(bundle.vaeWeights)],
    ['video expert', `${d.layers} blocks, hidden ${d.videoDim}, ffn ${d.videoFfn}`],
    ['action expert', `${d.layers} blocks, hidden ${d.actionHidden}, ffn ${d.actionFfn}`],
    ['attention', `${d.heads} heads x ${d.headDim}`],
    [
      'image',
      `${d.height} x ${d.width} (height x width), from ${manifest.cameras.map((c) => c.name).join(', ')}`,
    ],
    [
      'actions',
      `${actions.kind}: ${actions.items.map((i) => (i.unit ? `${i.name} [${i.unit}]` : i.name)).join(', ')}`,
    ],
    ['normaliser', actions.normaliser.mode],
    ['limits', limits],
    ['proprioception', proprio.names.join(', ') || 'none'],
    ['chunk', `${d.horizon} actions at ${control.rate} Hz, ${control.replan_steps} executed before the next`],
    ['sampler', `${schedule.steps} Euler steps, shift ${schedule.shift}`],
    ['prompt', manifest.prompt_template],
    ['text', `cleaning ${bundle.cleaning}${encoder === undefined ? '' : `, encoder ${encoder.slice(0, 8)}`}`],
    ['instructions', manifest.instructions.length === 0 ? 'not recorded' : ''],
  ];
  const width = Math.max(...rows.map(([key]) => key.length));
  const lines = rows.map(([key, value]) => `${key.padEnd(width)}  ${value}`);
  const tasks = manifest.instructions.map((task) => `${' '.repeat(width)}  - ${task}`);
  // Each value is one line, whatever the bundle says.
  return `${[...lines, ...tasks].map((line) => plainText(line).trimEnd()).join('\n')}\n`;
}

function describeWeights(file: TensorFile): string {
  const types = new Set<string>();
  let count = 0;
  for (const tensor of file.tensors.values()) {
    types.add(tensor.dtype);
    count += elementCount(tensor.shape);
  }
  return `${file.path}: ${(count / 1e6).toFixed(2)} M parameters in ${file.tensors.size} tensors, ${[...types].join(' and ')}`;
}
