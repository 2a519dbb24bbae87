/** Sizes of the action expert. N denoising steps, T horizon tokens, a action dimensions, d hidden, L blocks. */
export interface ExpertShape {
  readonly steps: number;
  readonly horizon: number;
  readonly actionDim: number;
  readonly hidden: number;
  readonly layers: number;
}
