import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXECUTOR_PARAMETERS } from '../../src/settings/executorParameters';
import { problemWithParameter } from '../../src/settings/Parameter';
import { readParameterFile } from '../../src/settings/parameterFile';
import { POLICY_PARAMETERS } from '../../src/settings/policyParameters';
import { SIMULATED_ROBOT_PARAMETERS } from '../../src/settings/simulatedRobotParameters';
import { shippedParams } from '../../src/settings/shippedParams';

const PARAMS = join(__dirname, '..', '..', 'params');

describe('the shipped params files', () => {
  it.each(Object.entries(shippedParams()))(
    '%s says what the table says (npm run params)',
    (name, content) => {
      expect(readFileSync(join(PARAMS, name), 'utf8')).toBe(content);
    },
  );

  it('hold, with every comment sign taken away, values that fit', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fast-wam-params-'));
    try {
      for (const [table, name, node] of [
        [POLICY_PARAMETERS, 'policy.yaml', 'fast_wam_policy'],
        [EXECUTOR_PARAMETERS, 'executor.yaml', 'action_executor'],
        [SIMULATED_ROBOT_PARAMETERS, 'simulated_robot.yaml', 'simulated_robot'],
      ] as const) {
        const file = join(folder, name);
        const text = readFileSync(join(PARAMS, name), 'utf8');
        // the example above the table has sources of its own
        const uncommented = text
          .replace(/^ {4}# ([a-z_.]+: .*)$/gm, '    $1')
          .replace(/^ {4}proprio.sources: \[\].*$/m, '');
        writeFileSync(file, uncommented);
        const { entries } = readParameterFile(file, node);
        expect(entries.size).toBeGreaterThanOrEqual(table.parameters.length - 1);
        for (const { name: parameter, value } of entries.values()) {
          const found = table.find(parameter);
          expect(found, parameter).toBeDefined();
          expect(problemWithParameter(found!, value)).toBeUndefined();
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('describe every parameter with a text that has no loose end', () => {
    for (const { name, field } of [...POLICY_PARAMETERS.parameters, ...EXECUTOR_PARAMETERS.parameters]) {
      expect(field.description.length, name).toBeGreaterThan(20);
      expect(field.description, name).not.toMatch(/\.$/);
    }
  });
});
