import { ExecutorNode } from '../ExecutorNode';
import { runNode } from '../runNode';

void runNode((rclnodejs) => new ExecutorNode({ rclnodejs }));
