/*
 * Writes the list of everything that users install (CycloneDX) to out/sbom.json, and checks that it is whole: every package
 * of the lockfile that this platform has is in it, with address and licence, and every reference has its component.
 *
 *   npm run sbom
 *
 * `npm sbom --omit dev` leaves out what a development dependency needs too (yaml, for instance), so npm lists everything
 * and what is for development alone is taken out here.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { productionPackages } from './productionPackages';

const ROOT = resolve(__dirname, '..');

interface Component {
  readonly 'bom-ref': string;
  readonly purl?: string;
  readonly licenses?: readonly unknown[];
}

interface Bom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const all = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  }),
) as Bom;
const packages = productionPackages(ROOT);
const wanted = new Set(packages.map(({ name, version }) => `${name}@${version}`));
const project = all.metadata.component['bom-ref'];
const components = all.components.filter((component) => wanted.has(component['bom-ref']));
const listed = new Set([project, ...components.map((component) => component['bom-ref'])]);
const bom: Bom = {
  ...all,
  components,
  dependencies: all.dependencies
    .filter(({ ref }) => listed.has(ref))
    .map(({ ref, dependsOn }) => ({
      ref,
      dependsOn: ref === project ? dependsOn.filter((one) => wanted.has(one)) : dependsOn,
    })),
};

const problems: string[] = [];
if (bom.bomFormat !== 'CycloneDX') problems.push(`the format is ${bom.bomFormat}`);
for (const component of components) {
  if (!component.purl?.startsWith('pkg:npm/')) problems.push(`${component['bom-ref']} has no package URL`);
  if (!component.licenses?.length) problems.push(`${component['bom-ref']} has no licence`);
}
for (const { name, version, optional } of packages) {
  const needed = !optional || existsSync(join(ROOT, 'node_modules', name));
  if (needed && !listed.has(`${name}@${version}`)) problems.push(`${name}@${version} is missing`);
}
for (const { ref, dependsOn } of bom.dependencies) {
  for (const one of dependsOn)
    if (!listed.has(one)) problems.push(`${ref} needs ${one}, which is not listed`);
}

if (problems.length > 0) {
  process.stderr.write(`${problems.map((problem) => `sbom: ${problem}`).join('\n')}\n`);
  process.exitCode = 1;
} else {
  mkdirSync(join(ROOT, 'out'), { recursive: true });
  writeFileSync(join(ROOT, 'out', 'sbom.json'), `${JSON.stringify(bom, null, 2)}\n`);
  process.stdout.write(
    `sbom: ${components.length} components, CycloneDX ${bom.specVersion} -> out/sbom.json\n`,
  );
}
