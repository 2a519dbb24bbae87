const BUNDLE = '--bundle bundles/tabletop';
const RECORDING = `bags/tabletop_demo ${BUNDLE} --params params/tabletop_demo.yaml`;

/** What the help of a command shows at its end. A test parses every line. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  export: [
    'fastwam export --checkpoint libero_uncond_2cam224.pt --vae Wan2.2_VAE.pth --text-embeds text_embeds \\\n' +
      '      --stats libero_uncond_2cam224_dataset_stats.json --config libero --out my_bundle',
    'fastwam export --lerobot my_policy --vae Wan2.2-TI2V-5B-Diffusers/vae --out my_bundle',
  ],
  audit: [
    'fastwam audit my_policy',
    'fastwam audit fastwam.pt --stats dataset_stats.json --config libero --json',
  ],
  encode: [
    'fastwam encode my_bundle --text-encoder Wan2.2-TI2V-5B "pick up the red cup"',
    'fastwam encode my_bundle --text-encoder Wan2.2-TI2V-5B-Diffusers/text_encoder --file instructions.txt',
  ],
  info: ['fastwam info bundles/tabletop', 'fastwam info my_bundle --verify'],
  infer: [
    `fastwam infer ${BUNDLE} --inputs episode.safetensors --instruction "put the red block on the plate" --out chunks.safetensors`,
    `fastwam infer ${BUNDLE} --inputs bags/tabletop_demo --params params/tabletop_demo.yaml --episode 1 --out chunks.safetensors`,
  ],
  calibrate: [
    'fastwam calibrate bundles/tabletop bags/tabletop_demo --params params/tabletop_demo.yaml --policy worldcache_ca --tolerance 0.05',
    'fastwam calibrate bundles/tabletop bags/tabletop_demo --params params/tabletop_demo.yaml --policy bac',
  ],
  replay: [`fastwam replay ${RECORDING} --policy c3ache --refresh 4 --range 0:6`],
  sweep: [
    `fastwam sweep ${RECORDING} --refresh 0,2,4,8 --range 0:6,0:7 --tolerance translation=0.15 --tolerance flips=30`,
  ],
  simulate: [
    `fastwam simulate ${BUNDLE} --episodes 40 --policy c3ache --refresh 4 --range 0:6`,
    `fastwam simulate ${BUNDLE} --episodes 40 --grid --policy c3ache --refresh 0,4,8 --range 0:6,0:7 --out out/grid`,
    `fastwam simulate ${BUNDLE} --episodes 400 --policy c3ache --shard 3/8 --out out/shard-3`,
  ],
  merge: ['fastwam merge out/shard-1 out/shard-2 out/shard-3 --out out/merged'],
  watch: [`fastwam watch ${BUNDLE}`, `fastwam watch ${BUNDLE} --suite long --refresh 8 --pace 1`],
  serve: [
    `fastwam serve ${BUNDLE} --world`,
    'fastwam serve --bundle my_bundle --policy c3ache --refresh 4 --rotated image,wrist_image',
    'fastwam serve --bundle my_bundle --params my_params.yaml --host 0.0.0.0 --token-file token.txt',
  ],
  demos: ['fastwam demos --episodes 480 --out demonstrations'],
  bench: [`fastwam bench ${BUNDLE} --chunks 40 --threads 1`],
  synth: [
    'fastwam synth --config libero --sparse --dtype BF16 --out big_checkpoint',
    'fastwam synth --text-encoder --sparse --dtype BF16 --out big_encoder',
  ],
  play: ['fastwam ros npx fastwam play bags/tabletop_demo --wait-for /fast_wam_policy'],
  record: ['fastwam ros npx fastwam record /fast_wam_policy/action_chunk --out my_recording --duration 60'],
  bag: ['fastwam bag bags/tabletop_demo --pictures out/pictures', 'fastwam bag my_recording --json'],
  params: [`fastwam params bags/tabletop_demo ${BUNDLE} --out my_params.yaml`],
  doctor: ['fastwam doctor', 'fastwam doctor --json'],
  'gpu-check': [`fastwam gpu-check ${BUNDLE} --out out/gpu`],
  'cuda-setup': ['fastwam cuda-setup --dry-run', 'fastwam cuda-setup --cuda 12'],
  'ros-setup': ['fastwam ros-setup --check', 'fastwam ros-setup'],
  ros: ['fastwam ros ros2 run fast_wam_policy policy --ros-args -p bundle:=$PWD/bundles/tabletop'],
  completion: ['source <(fastwam completion bash)', 'fastwam completion fish | source'],
};
