import '../node/stopSignals'; // first: signals are heard while the rest is loaded
import { PolicyNode } from '../policy/PolicyNode';
import { runNode } from '../node/runNode';

void runNode((rclnodejs) => new PolicyNode({ rclnodejs }));
