import { PolicyNode } from '../policy/PolicyNode';
import { runNode } from '../node/runNode';

void runNode((rclnodejs) => new PolicyNode({ rclnodejs }));
