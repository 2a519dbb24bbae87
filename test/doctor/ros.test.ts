import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { examineRos } from '../../src/doctor/ros';
import { examineFrames, sharedMemorySegment } from '../../src/doctor/rosFrames';
import type { Finding } from '../../src/doctor/types';
import { removeFolders, temporaryFolder } from '../helpers';

afterAll(removeFolders);

/** A folder as ros:setup leaves it, with an rclnodejs that betrays itself when it is imported. */
function setupFolder(addon: string | undefined, rebuild = 'exit 1'): { folder: string; imported: string } {
  const folder = temporaryFolder();
  const imported = join(folder, 'imported');
  const rclnodejs = join(folder, 'node', 'node_modules', 'rclnodejs');
  mkdirSync(join(rclnodejs, 'build', 'Release'), { recursive: true });
  mkdirSync(join(rclnodejs, 'generated', 'fast_wam_msgs'), { recursive: true });
  const manifest = { version: '2.2.0', main: 'index.js', scripts: { rebuild } };
  writeFileSync(join(rclnodejs, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(rclnodejs, 'index.js'), `require('fs').writeFileSync(${JSON.stringify(imported)}, '')`);
  if (addon !== undefined) writeFileSync(join(rclnodejs, 'build', 'Release', 'rclnodejs.node'), addon);
  writeFileSync(join(folder, 'env.sh'), '');
  writeFileSync(join(folder, 'underlay.stamp'), 'wheels\n');
  return { folder, imported };
}

async function examined(environment: NodeJS.ProcessEnv): Promise<Map<string, Finding>> {
  return new Map((await examineRos(environment)).map((finding) => [finding.name, finding]));
}

describe('ROS 2 on a machine', () => {
  it('that has none is told how to set it up', async () => {
    const findings = await examined({ ROS_SETUP_DIR: join(temporaryFolder(), 'none') });
    expect([...findings.values()].map(({ state }) => state)).not.toContain('ok');
    expect(findings.get('ros-setup')).toMatchObject({
      state: 'missing',
      remedy: 'run `npx fastwam ros-setup`',
    });
    expect([...findings.values()].some(({ needed }) => needed)).toBe(false);
  });

  it('is set up and not sourced: nothing of rclnodejs is loaded, and the way in is told', async () => {
    const { folder, imported } = setupFolder('not a library');
    const findings = await examined({ ROS_SETUP_DIR: folder });
    expect(findings.get('environment')).toMatchObject({
      state: 'missing',
      remedy: expect.stringContaining('npx fastwam ros'),
    });
    expect(findings.get('rclnodejs')).toMatchObject({
      state: 'ok',
      text: expect.stringContaining('not loaded'),
    });
    expect(existsSync(imported)).toBe(false);
  });

  it('has an rclnodejs that does not load: told without importing the package, which would delete its build', async () => {
    const { folder, imported } = setupFolder('not a library');
    const environment = { ROS_SETUP_DIR: folder, ROS_DISTRO: 'kilted', AMENT_PREFIX_PATH: folder };
    const findings = await examined(environment);
    expect(findings.get('rclnodejs')).toMatchObject({
      state: 'problem',
      text: expect.stringContaining('does not load: '),
    });
    expect(existsSync(imported)).toBe(false);
  });

  it('has an rclnodejs that would rebuild itself: warned of', async () => {
    const { folder } = setupFolder(undefined, 'npm run clean && node-gyp rebuild');
    const rclnodejs = join(folder, 'node', 'node_modules', 'rclnodejs');
    expect((await examined({ ROS_SETUP_DIR: folder })).get('rclnodejs')?.text).toContain('has no build');
    writeFileSync(join(rclnodejs, 'build', 'Release', 'rclnodejs.node'), '');
    expect((await examined({ ROS_SETUP_DIR: folder })).get('rclnodejs rebuild')).toMatchObject({
      state: 'problem',
      remedy: expect.stringContaining("scripts.rebuild='exit 1'"),
    });
  });

  it.each([
    ['humble', ''],
    ['noetic', '1'],
  ])('has %s sourced, which is too old', async (ROS_DISTRO, ROS_VERSION) => {
    const { folder } = setupFolder(undefined);
    const environment = { ROS_SETUP_DIR: folder, AMENT_PREFIX_PATH: folder, ROS_DISTRO, ROS_VERSION };
    expect((await examined(environment)).get('environment')).toMatchObject({
      state: 'problem',
      remedy: 'source ROS 2 Jazzy or later',
    });
  });

  it('has a sourced folder that is gone', async () => {
    const { folder } = setupFolder(undefined);
    const gone = join(folder, 'gone');
    const environment = { ROS_SETUP_DIR: folder, AMENT_PREFIX_PATH: gone, ROS_DISTRO: 'kilted' };
    expect((await examined(environment)).get('environment')?.remedy).toContain(gone);
  });

  it('has messages generated, but not in the sourced environment', async () => {
    const { folder } = setupFolder(undefined);
    const environment = { ROS_SETUP_DIR: folder, AMENT_PREFIX_PATH: folder, ROS_DISTRO: 'kilted' };
    expect((await examined(environment)).get('fast_wam_msgs')?.state).toBe('problem');
    mkdirSync(join(folder, 'share', 'fast_wam_msgs'), { recursive: true });
    expect((await examined(environment)).get('fast_wam_msgs')?.state).toBe('ok');
  });
});

describe('large camera frames', () => {
  const profile = (type: string, size: number): string =>
    `<transport_descriptor><transport_id>t</transport_id><type>${type}</type><segment_size>${size}</segment_size></transport_descriptor>`;

  it('read the segment of the shared-memory transport, not of another and not of a comment', () => {
    const udp = profile('UDPv4', 1);
    expect(sharedMemorySegment(udp + profile('SHM', 4_000_000))).toBe(4_000_000);
    expect(sharedMemorySegment(udp)).toBeUndefined();
    expect(sharedMemorySegment(`<!-- ${profile('SHM', 4_000_000)} -->`)).toBeUndefined();
  });

  it('are lost silently without a profile: the export for the camera driver is told', () => {
    const finding = examineFrames({}, '/setup');
    expect(finding).toMatchObject({ state: 'missing', text: expect.stringContaining('512 KiB') });
    expect(finding.remedy).toContain('export FASTDDS_DEFAULT_PROFILES_FILE=/setup/shm.xml');
  });

  it('do not fit a segment smaller than two of them', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'profile.xml');
    const state = (size: number): string => {
      writeFileSync(file, profile('SHM', size));
      return examineFrames({ FASTDDS_DEFAULT_PROFILES_FILE: file }, folder).state;
    };
    // 640 * 480 * 3 = 921,600 bytes
    expect(state(2 * 921_600 - 1)).toBe('problem');
    expect(state(2 * 921_600)).toBe('ok');
    writeFileSync(file, '<dds/>');
    expect(examineFrames({ FASTDDS_DEFAULT_PROFILES_FILE: file }, folder).text).toContain('512 KiB');
  });

  it('name a profile that is not there', () => {
    const environment = { FASTDDS_DEFAULT_PROFILES_FILE: join(temporaryFolder(), 'gone.xml') };
    expect(examineFrames(environment, '/setup')).toMatchObject({ state: 'problem' });
  });

  it('do not depend on Fast DDS where another middleware is chosen', () => {
    expect(examineFrames({ RMW_IMPLEMENTATION: 'rmw_cyclonedds_cpp' }, '/setup').state).toBe('ok');
  });
});
