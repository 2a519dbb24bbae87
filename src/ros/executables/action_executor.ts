import '../node/stopSignals'; // first: signals are heard while the rest is loaded
import { ExecutorNode } from '../executor/ExecutorNode';
import { runNode } from '../node/runNode';

void runNode((rclnodejs) => new ExecutorNode({ rclnodejs }));
