// npm run bench [-- MORE OPTIONS OF fastwam bench]
import { bundle, fastwam, makeBenchModel } from './benchModel.mjs';

makeBenchModel();
fastwam('bench', '--bundle', bundle, '--threads', '1', '--int8', ...process.argv.slice(2));
