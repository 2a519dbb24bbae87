import '../node/stopSignals'; // first: signals are heard while the rest is loaded
import { SimulatedRobotNode } from '../robot/SimulatedRobotNode';
import { runNode } from '../node/runNode';

void runNode((rclnodejs) => new SimulatedRobotNode({ rclnodejs }));
