/** How the contributions of a sub-block at two steps are compared. */
export const SIMILARITIES = ['cosine', 'l1', 'mse', 'adjacent'] as const;
export type Similarity = (typeof SIMILARITIES)[number];

/** Which sub-blocks `bac` computes at which step, and the settings for which this was solved. Plain JSON. */
export interface BacSchedule {
  readonly policy: 'bac';
  readonly updates: number;
  readonly union_blocks: number;
  readonly similarity: Similarity;
  readonly steps: number;
  readonly layers: number;
  /** 1 where computed, [N][L][3] in the order self-attention, cross-attention, FFN */
  readonly computed: readonly (readonly (readonly number[])[])[];
  /** chunks whose features were averaged */
  readonly chunks: number;
}
