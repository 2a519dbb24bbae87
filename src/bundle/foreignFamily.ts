import { quoted } from '../words/quoted';

/** Families of models by names that only they have, and the sentence for one that is given as a Fast-WAM. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [
    /\.scale_weight$/,
    'holds fp8 weights (with scale_weight), which are not read; use the bf16 checkpoint they were made of',
  ],
  [
    /(^|[._])lora_|\.base_layer\.|(^|\.)base_model\.model\.|adapter/,
    'holds adapters (LoRA), which are not added to weights here; merge them into the policy (merge_and_unload of PEFT) and save that',
  ],
  [
    /paligemma|gemma_expert/,
    'is a π0 policy (PaliGemma with an expert), another architecture; this program runs Fast-WAM alone',
  ],
  [/vlm_with_expert/, 'is a SmolVLA policy, another architecture; this program runs Fast-WAM alone'],
  [
    /eagle|qwen|groot|internvl/i,
    'is built on a vision-language model, another architecture; this program runs Fast-WAM alone',
  ],
  [
    /(^|\.)language_model\.|lm_head\./,
    'is a language model, another architecture; this program runs Fast-WAM alone',
  ],
  [
    /(^|\.)unet\.|(^|\.)diffusion\./,
    'is a diffusion policy (U-Net), another architecture; this program runs Fast-WAM alone',
  ],
  [
    /latents_proj|lite_fusion|kv_fusion|action_vae|action_decoder/,
    'is of a Fast-WAM with another action expert (CAE-FastWAM, Faster-WAM), which this program does not run',
  ],
  [/(^|\.)encoder\.(downsamples|down_blocks)\./, 'is a VAE, not a policy; give it as --vae'],
  [
    /(^|\.)(shared\.weight|token_embedding\.weight|encoder\.block\.\d+\.layer\.)/,
    'is a text encoder, not a policy; give its folder as --text-encoder',
  ],
  [
    /(^|\.)blocks\.\d+\.(self_attn|cross_attn|attn1)\./,
    'is a video model alone (Wan’s DiT), without an action expert; a Fast-WAM has both under mixtures.video and mixtures.action',
  ],
  [/backbone|(^|\.)encoder\.layers\./, 'is another policy (ACT or alike); this program runs Fast-WAM alone'],
];

/** What a file without a Fast-WAM's tensors seems to be, from its names: the rest of a sentence "<file>: …". */
export function foreignFamily(names: readonly string[]): string {
  for (const [pattern, sentence] of FAMILIES) {
    const example = names.find((name) => pattern.test(name));
    if (example !== undefined) return `${sentence} (it has ${quoted(example)})`;
  }
  const shown = names.slice(0, 3).map((name) => quoted(name, 60));
  return names.length === 0
    ? 'holds no tensors; expected a Fast-WAM checkpoint'
    : `is not a Fast-WAM checkpoint: expected tensors such as "mixtures.action.action_encoder.weight", found ${shown.join(', ')}`;
}
