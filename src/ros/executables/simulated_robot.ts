import { SimulatedRobotNode } from '../robot/SimulatedRobotNode';
import { runNode } from '../node/runNode';

void runNode((rclnodejs) => new SimulatedRobotNode({ rclnodejs }));
