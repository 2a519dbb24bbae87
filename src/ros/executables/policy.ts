import { PolicyNode } from '../PolicyNode';
import { runNode } from '../runNode';

void runNode((rclnodejs) => new PolicyNode({ rclnodejs }));
