import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../errors';
import { onnxRuntimePackage } from '../model/runtime';
import { probeSession } from './probeSession';
import { section } from './types';
import type { Finding, FindingParts } from './types';

/** The package onnxruntime-node, and a session of it on the CPU. */
export async function examineOnnxRuntime(): Promise<Finding[]> {
  const installed = examinePackage();
  if (installed.state !== 'ok') return section('onnxruntime', [installed]);
  return section('onnxruntime', [installed, await examineCpuSession()]);
}

function examinePackage(): FindingParts {
  const name = 'onnxruntime-node';
  try {
    const folder = onnxRuntimePackage();
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
    return { name, state: 'ok', text: `${version} in ${folder}`, needed: true };
  } catch (error) {
    const text = messageOf(error).split('\n')[0] ?? '';
    return { name, state: 'missing', text, remedy: 'run `npm ci`', needed: true };
  }
}

async function examineCpuSession(): Promise<FindingParts> {
  const name = 'CPU session';
  const result = await probeSession('cpu');
  if (result.ok) {
    return {
      name,
      state: 'ok',
      text: `starts and computes (${result.milliseconds.toFixed(0)} ms)`,
      needed: true,
    };
  }
  return {
    name,
    state: 'problem',
    text: result.message,
    remedy:
      'run `npm ci` again; Linux needs glibc 2.28 or later (no Alpine), and LD_LIBRARY_PATH without another libonnxruntime',
    needed: true,
  };
}
