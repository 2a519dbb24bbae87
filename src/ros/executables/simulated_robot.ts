import { SimulatedRobotNode } from '../SimulatedRobotNode';
import { runNode } from '../runNode';

void runNode((rclnodejs) => new SimulatedRobotNode({ rclnodejs }));
