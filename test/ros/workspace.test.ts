import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { ROOT, rosLacking } from './Peer';

const PACKAGE = join(ROOT, 'ros_ws', 'src', 'fast_wam_policy');
const built = existsSync(join(ROOT, 'dist', 'ros', 'executables', 'policy.js'));
if (!built)
  process.stderr.write('skipped, dist/ is not built (npm run build): a workspace around the package\n');

/** Builds the package in a user's workspace that holds nothing else. */
function build(workspace: string, ...more: string[]): { output: string; status: number | null } {
  const colcon = ['colcon', 'build', '--packages-select', 'fast_wam_policy', '--symlink-install', ...more];
  const { status, stdout, stderr } = spawnSync(
    'bash',
    [join(ROOT, 'scripts', 'ros.sh'), 'bash', '-c', 'cd "$0" && exec "$@"', workspace, ...colcon],
    { encoding: 'utf8' },
  );
  return { status, output: stdout + stderr };
}

describe.skipIf(rosLacking() !== undefined || !built)(
  "the ROS package in a user's workspace",
  { timeout: 240_000 },
  () => {
    afterAll(removeFolders);

    const workspace = (): string => {
      const folder = temporaryFolder();
      mkdirSync(join(folder, 'src'));
      return folder;
    };
    /** What a user starts from it. */
    function expectInstalled(folder: string): void {
      const install = join(folder, 'install', 'fast_wam_policy');
      for (const path of ['lib/fast_wam_policy/policy', 'share/fast_wam_policy/launch/policy.launch.py'])
        expect(existsSync(join(install, path)), path).toBe(true);
      expect(lstatSync(join(install, 'share', 'fast_wam_policy', 'node_modules')).isSymbolicLink()).toBe(
        true,
      );
      const policy = spawnSync(join(install, 'lib', 'fast_wam_policy', 'policy'), {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] },
      });
      expect(policy.stderr).toMatch(/no ROS 2 environment is sourced/);
    }

    it('builds where it is linked in', () => {
      const folder = workspace();
      symlinkSync(PACKAGE, join(folder, 'src', 'fast_wam_policy'));
      const { status, output } = build(folder);
      expect(status, output).toBe(0);
      expectInstalled(folder);
    });

    it('builds as a copy that is told where the project is, and asks for it otherwise', () => {
      const folder = workspace();
      cpSync(PACKAGE, join(folder, 'src', 'fast_wam_policy'), { recursive: true });
      const refused = build(folder);
      expect(refused.status).not.toBe(0);
      expect(refused.output).toMatch(/-DFAST_WAM_POLICY_PROJECT=/);
      const { status, output } = build(folder, '--cmake-args', `-DFAST_WAM_POLICY_PROJECT=${ROOT}`);
      expect(status, output).toBe(0);
      expectInstalled(folder);
    });
  },
);

describe('the package.xml of both ROS packages', () => {
  const texts = [PACKAGE, join(ROOT, 'msgs')].map((folder) =>
    readFileSync(join(folder, 'package.xml'), 'utf8'),
  );

  it('have the version of the project, one maintainer with an address, and a change log beside them', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    for (const text of texts) {
      expect(/<version>(.*)<\/version>/.exec(text)?.[1]).toBe(version);
      expect(text).toMatch(/<maintainer email="[^@"\s]+@[^@"\s]+\.[a-z]+">[^<]+<\/maintainer>/);
    }
    for (const folder of [PACKAGE, join(ROOT, 'msgs')])
      expect(readFileSync(join(folder, 'CHANGELOG.rst'), 'utf8')).toMatch(/^Forthcoming$/m);
  });

  it('name every package whose messages and services the nodes use', () => {
    const source = spawnSync('grep', ['-rhoE', "'[a-z_]+/(msg|srv)/[A-Z]", join(ROOT, 'src', 'ros')], {
      encoding: 'utf8',
    }).stdout;
    const used = new Set([...source.matchAll(/'([a-z_]+)\//g)].map(([, name]) => name!));
    used.delete('bond'); // optional
    expect(used.size).toBeGreaterThan(5);
    for (const name of used) expect(texts[0], name).toContain(`<exec_depend>${name}</exec_depend>`);
  });
});
