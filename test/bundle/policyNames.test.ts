import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeDimensions, expectedTensors } from '../../src/bundle/layout';
import { lerobotName, policyName } from '../../src/bundle/policyNames';
import { diffusersVaeName, vaeName } from '../../src/bundle/vaeNames';

/** The released size. */
const { mot, proprioEncoder, vae, unneeded } = expectedTensors(
  completeDimensions({
    height: 224,
    width: 448,
    actionDim: 7,
    proprioDim: 8,
    horizon: 32,
    layers: 30,
    heads: 24,
    headDim: 128,
    videoDim: 3072,
    videoFfn: 14336,
    actionHidden: 1024,
    actionFfn: 4096,
    textDim: 4096,
    freqDim: 256,
    vaeDim: 160,
    contextLength: 128,
    steps: 10,
    shift: 5,
  }),
);
const POLICY = [...mot.keys(), ...unneeded.mot.keys(), ...proprioEncoder.keys()];
const VAE = [...vae.keys(), ...unneeded.vae.keys()];

/** LeRobot's first branch. */
const branchName = (name: string): string =>
  name.startsWith('mixtures.action.') ? name.replace('mixtures.action', 'action_expert') : `dit.${name}`;

describe('the names of a Fast-WAM of the released size', () => {
  it('are 1651, and every layout’s lead back to the original’s', () => {
    expect(POLICY).toHaveLength(1651);
    for (const name of POLICY) {
      expect(policyName(name)?.name).toBe(name);
      expect(policyName(`model.mot.${name}`.replace('mot.proprio', 'proprio'))?.name).toBe(name);
      expect(policyName(lerobotName(name))?.name).toBe(name);
      expect(policyName(`model.${branchName(name).replace('dit.proprio', 'proprio')}`)?.name).toBe(name);
    }
    expect(new Set(POLICY.map(lerobotName)).size).toBe(1651);
  });

  it('come out of any wrappers, at the front and inside', () => {
    const front = fc.array(
      fc.constantFrom('module', '_orig_mod', 'model', 'ema_model', 'policy', 'state_dict'),
    );
    const inside = fc.constantFrom(
      '_orig_mod',
      '_fsdp_wrapped_module',
      '_checkpoint_wrapped_module',
      'module',
    );
    const layout = fc.constantFrom((n: string) => n, lerobotName, branchName);
    fc.assert(
      fc.property(
        fc.constantFrom(...POLICY),
        layout,
        front,
        inside,
        fc.nat(20),
        (name, rename, before, word, at) => {
          const parts = rename(name).split('.');
          const root = parts.findIndex((part) => !['model'].includes(part)) + 1;
          parts.splice(root + (at % (parts.length - root)), 0, word);
          expect(policyName([...before, ...parts].join('.'))?.name).toBe(name);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('are told from the state of the training that made them', () => {
    expect(policyName('optimizer.state.mot.mixtures.action.head.weight.exp_avg')).toBeUndefined();
    expect(policyName('vae.encoder.conv1.weight')).toBeUndefined();
    expect(policyName('ema.mot.mixtures.action.head.weight')?.averaged).toBe(true);
    expect(policyName('module.mot.mixtures.action.head.weight')?.averaged).toBe(false);
  });
});

describe('the names of the VAE', () => {
  it('lead from Diffusers’ to the original’s and back', () => {
    expect(VAE.length).toBeGreaterThan(70);
    for (const name of VAE) {
      expect(vaeName(diffusersVaeName(name))).toBe(name);
      expect(vaeName(name)).toBe(name);
    }
    expect(new Set(VAE.map(diffusersVaeName)).size).toBe(VAE.length);
    expect(vaeName('quant_conv.weight')).toBe('conv1.weight');
    expect(vaeName('encoder.down_blocks.1.resnets.0.conv_shortcut.bias')).toBe(
      'encoder.downsamples.1.downsamples.0.shortcut.bias',
    );
  });
});
