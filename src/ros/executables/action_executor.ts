import { ExecutorNode } from '../executor/ExecutorNode';
import { runNode } from '../node/runNode';

void runNode((rclnodejs) => new ExecutorNode({ rclnodejs }));
