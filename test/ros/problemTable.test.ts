import { describe, expect, it } from 'vitest';
import { ExecutorSession } from '../../src/executor/ExecutorSession';
import { REFUSAL_KINDS } from '../../src/observation/Refusal';
import type { RefusalKind } from '../../src/observation/Refusal';
import type { ChunkProducer } from '../../src/policy/ChunkProducer';
import type { Status } from '../../src/ros/node/Diagnostics';
import { inferenceStatus, observationStatus, safetyStatus } from '../../src/ros/policy/policyDiagnostics';
import { RobotCommands } from '../../src/ros/robot/RobotCommands';
import { executorStatuses } from '../../src/ros/executor/executorDiagnostics';
import { EXECUTOR_PROBLEMS } from '../../src/ros/executor/executorProblems';
import { NODE_PROBLEMS } from '../../src/ros/node/nodeProblems';
import { POLICY_PROBLEMS } from '../../src/ros/policy/policyProblems';
import { ROBOT_PROBLEMS } from '../../src/ros/robot/robotProblems';
import { standIn } from '../standIn';

function jointSession(): ExecutorSession {
  return new ExecutorSession({
    actions: {
      kind: 'joint_position',
      frame: '',
      items: [{ name: '<action>', unit: 'rad', group: 'arm' }],
      normaliser: { mode: 'z-score', scale: [1], offset: [0] },
      gripper: [],
      limits: {},
    },
    settings: { period: 0.1, join: 'blend', blendSteps: 0, deadline: 1, limits: 'clamp', stateMaxAge: 1 },
    stateTopic: '/joint_states',
    alive: () => true,
    nameOf: String,
  });
}

describe('the tables of what is refused', () => {
  it('name values that the diagnostics have', () => {
    const counts = {
      ...{
        produced: 0,
        withoutObservation: 0,
        discarded: 0,
        failed: 0,
        limited: 0,
        frozen: 1,
      },
      ...{ clamped: 0, late: 0, episodes: 0 },
    };
    const producer = standIn<ChunkProducer>({
      counts,
      refusals: [],
      active: false,
      last: undefined,
      failure: undefined,
      dropped: undefined,
    });
    const source = { name: '<source>', topic: 't', received: 2, malformed: 1, problem: 'short', at: 0 };
    const refused = new Map(REFUSAL_KINDS.map((kind) => [kind, 1]));
    const messagesRefused = new Map([['<source>', new Map([['<kind>' as RefusalKind, 1]])]]);
    const statuses: Status[] = [
      observationStatus([source], producer, () => 1, { refused, messagesRefused }, 0),
      inferenceStatus(producer, { late: 0, failed: 0 }),
      safetyStatus(producer, 'clamp'),
    ];
    for (const { status, value } of POLICY_PROBLEMS) {
      // State is looked at where the node runs, in asOthersSeeIt.test.ts
      if (value === undefined || status === 'State') continue;
      const found = statuses.find(({ name }) => name === status);
      expect(Object.keys(found?.values ?? {}), `${status}, ${value}`).toContain(value);
    }
    // Whatever an executor counts has a row, in the status in which it is counted.
    const { statuses: counted } = executorStatuses(jointSession(), {
      ...{ now: 0, names: ['<action>'], nameOf: String, reported: { held: 0, limited: 0 } },
    });
    const values = counted.flatMap(({ name, values: found }) =>
      Object.keys(found)
        .filter((key) => /^(refused|held|limited), /.test(key))
        .map((key) => `${name}: ${key}`),
    );
    const ownRows = EXECUTOR_PROBLEMS.filter((row) => !NODE_PROBLEMS.includes(row));
    expect(ownRows.map(({ status, value }) => `${status}: ${value}`).sort()).toEqual(values.sort());
    const commands = new RobotCommands({ names: ['x'], onRefused: () => undefined }).status('t', [], 1);
    for (const { status, value } of ROBOT_PROBLEMS) {
      if (status === 'Commands' && value !== undefined) expect(Object.keys(commands.values)).toContain(value);
    }
  });
});
