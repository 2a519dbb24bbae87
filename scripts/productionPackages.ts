import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package that the lockfile installs beside this project for its users. */
export interface ProductionPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX, as the package states it */
  readonly license: string;
  /** only on some platforms, or where it can be built */
  readonly optional: boolean;
}

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly peer?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

/** What package-lock.json installs without the development dependencies, for every platform. */
export function productionPackages(root: string): readonly ProductionPackage[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, LockEntry>>;
  };
  return Object.entries(packages)
    .filter(([path, { dev, peer, devOptional }]) => path !== '' && !dev && !peer && !devOptional)
    .map(([path, { version = '', license = '', optional = false }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      license,
      optional,
    }));
}
