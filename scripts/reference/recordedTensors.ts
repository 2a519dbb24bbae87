/** A tensor of the files that `fastwam infer` reads and writes; C chunks, T actions, a and p numbers, N steps, L blocks. */
export interface RecordedTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: string;
  readonly text: string;
}

/** What `fastwam infer --inputs` reads; a test runs a file with each of them. */
export const INPUT_TENSORS: readonly RecordedTensor[] = [
  {
    name: 'images',
    type: 'U8',
    shape: '[C, H, W, 3]',
    text: 'composed pictures, RGB, of the size that `fastwam info` says; or, instead, one tensor for each camera',
  },
  {
    name: 'images.<camera>',
    type: 'U8',
    shape: '[C, h, w, 3]',
    text: 'pictures of one camera, RGB, of any size; also `<camera>` and `observation.images.<camera>`, with the name of the bundle or of the dataset',
  },
  {
    name: 'proprio',
    type: 'F32, F64',
    shape: '[C, p]',
    text: 'physical units, in the order of `fastwam info`; also `state` and `observation.state`',
  },
  { name: 'noise', type: 'F32', shape: '[C, T, a]', text: 'optional: the starting noise of each chunk' },
  {
    name: 'context',
    type: 'F32',
    shape: '[length, text dim]',
    text: "optional: the text's context, used where the bundle does not know the instruction",
  },
];

/** What it writes, all float32. */
export const OUTPUT_TENSORS: readonly RecordedTensor[] = [
  { name: 'action', type: 'F32', shape: '[C, T, a]', text: 'actions, physical units' },
  { name: 'velocity', type: 'F32', shape: '[C, N, T, a]', text: 'what moved x in each denoising step' },
  { name: 'latents', type: 'F32', shape: '[C, 48, H/16, W/16]', text: "the image encoder's" },
  {
    name: 'computed',
    type: 'F32',
    shape: '[C, N] or [C, N, L]',
    text: '1 where the stack, or a block, was computed; [N, L, 3] for a fixed schedule',
  },
  { name: 'refreshed', type: 'F32', shape: '[C]', text: '1 where the chunk renewed what is stored' },
];
