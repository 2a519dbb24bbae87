/*
 * Wan 2.2's VAE has two sets of names: those of Wan2.2_VAE.pth, used here, and those of Diffusers' AutoencoderKLWan.
 */

/** Members of a residual block: the original's `residual.<i>`, Diffusers' name. */
const RESIDUAL: readonly (readonly [string, string])[] = [
  ['0', 'norm1'],
  ['2', 'conv1'],
  ['3', 'norm2'],
  ['6', 'conv2'],
];

/** Blocks of Diffusers, and what they are in the original. */
const BLOCKS: readonly (readonly [RegExp, (match: readonly string[]) => string])[] = [
  [/^encoder\.mid_block\.resnets\.([01])\./, ([, i]) => `encoder.middle.${i === '0' ? 0 : 2}.`],
  [/^encoder\.mid_block\.attentions\.0\./, () => 'encoder.middle.1.'],
  [
    /^encoder\.down_blocks\.(\d+)\.resnets\.(\d+)\./,
    ([, i, j]) => `encoder.downsamples.${i}.downsamples.${j}.`,
  ],
  [/^encoder\.down_blocks\.(\d+)\.downsampler\./, ([, i]) => `encoder.downsamples.${i}.downsamples.2.`],
  [/^encoder\.conv_in\./, () => 'encoder.conv1.'],
  [/^encoder\.norm_out\./, () => 'encoder.head.0.'],
  [/^encoder\.conv_out\./, () => 'encoder.head.2.'],
  [/^quant_conv\./, () => 'conv1.'],
  [/^post_quant_conv\./, () => 'conv2.'],
];

/** The original's name of a tensor of Diffusers' VAE; any other name is returned as it is. */
export function vaeName(diffusers: string): string {
  for (const [pattern, original] of BLOCKS) {
    const match = pattern.exec(diffusers);
    if (!match) continue;
    const rest = diffusers.slice(match[0].length);
    const member = RESIDUAL.find(([, name]) => rest.startsWith(`${name}.`));
    if (member) return `${original(match)}residual.${member[0]}${rest.slice(member[1].length)}`;
    return `${original(match)}${rest.replace(/^conv_shortcut\./, 'shortcut.')}`;
  }
  return diffusers;
}

/** Diffusers' name of a tensor of the encoder; the reverse of `vaeName`. */
export function diffusersVaeName(original: string): string {
  const residual = (text: string): string =>
    text
      .replace(/^residual\.(\d)\./, (whole, i) => {
        const name = RESIDUAL.find(([index]) => index === i)?.[1];
        return name === undefined ? whole : `${name}.`;
      })
      .replace(/^shortcut\./, 'conv_shortcut.');
  const [, stage, part, inStage] =
    /^encoder\.downsamples\.(\d+)\.downsamples\.(\d+)\.(.*)$/.exec(original) ?? [];
  if (inStage !== undefined) {
    const owner = part === '2' ? 'downsampler' : `resnets.${part}`;
    return `encoder.down_blocks.${stage}.${owner}.${residual(inStage)}`;
  }
  const [, middle, inMiddle] = /^encoder\.middle\.([012])\.(.*)$/.exec(original) ?? [];
  if (inMiddle !== undefined) {
    const owner = { '0': 'resnets.0', '1': 'attentions.0', '2': 'resnets.1' }[middle ?? ''] ?? '';
    return `encoder.mid_block.${owner}.${residual(inMiddle)}`;
  }
  return original
    .replace(/^encoder\.conv1\./, 'encoder.conv_in.')
    .replace(/^encoder\.head\.0\./, 'encoder.norm_out.')
    .replace(/^encoder\.head\.2\./, 'encoder.conv_out.')
    .replace(/^conv1\./, 'quant_conv.')
    .replace(/^conv2\./, 'post_quant_conv.');
}
