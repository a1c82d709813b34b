/**
 * The packed package in small projects of other people's kinds. A project is a folder of projects/: its package.json
 * says by `packaging` what it shows, and by the script `check` how it is run; the last line that it prints is `ok`.
 *
 * The package is packed once, so that what its `files` leave out is missing here too. A quick project needs nothing
 * that is not among the development dependencies; the others are installed by npm, with the registry.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../compat/project.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const projectsFolder = fileURLToPath(new URL('projects', import.meta.url));
const INSTALL_ms = 240_000;
const CHECK_ms = 180_000;

export interface Project {
  readonly name: string;
  /** What kind of project it is, in a few words. */
  readonly about: string;
  readonly isQuick: boolean;
  readonly check: string;
  /**
   * Originals that it depends on by way of others. It is run twice, with the originals and with the drop-ins in their
   * places by npm's `overrides`, and must print the same.
   */
  readonly dropIns: readonly string[];
  /** Drop-ins whose tarballs it is given beside the package's, to look at. */
  readonly packed: readonly string[];
}

export interface Outcome {
  readonly isOk: boolean;
  readonly output: string;
}

interface Manifest {
  readonly scripts: { readonly check: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly packaging: Partial<Omit<Project, 'name' | 'isQuick' | 'check'>> & {
    readonly about: string;
    readonly quick?: boolean;
  };
}

/** Every project, the quick ones first. */
export function projects(): Project[] {
  return readdirSync(projectsFolder)
    .map((name): Project => {
      const text = readFileSync(join(projectsFolder, name, 'package.json'), 'utf8');
      const { scripts, packaging } = JSON.parse(text) as Manifest;
      const { about, quick = false, dropIns = [], packed = [] } = packaging;
      return { name, about, isQuick: quick, check: scripts.check, dropIns, packed };
    })
    .toSorted((a, b) => Number(b.isQuick) - Number(a.isQuick));
}

function mustRun(command: string, args: readonly string[], cwd: string, timeout: number = INSTALL_ms): string {
  const shell = process.platform === 'win32';
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout, shell });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}\n${stdout}${stderr}`);
  return stdout;
}

/** The tarballs of the package and its drop-ins, and the projects made of them, in a folder of their own. */
export class Matrix {
  private readonly folder: string = mkdtempSync(join(tmpdir(), 'l3-packaging-'));
  private readonly packed = new Map<string, string>();

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** The tarball of a package of this repository: the library at '.', a drop-in at its folder. */
  tarball(path: string): string {
    const known = this.packed.get(path);
    if (known !== undefined) return known;
    if (path === '.') build();
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', this.folder];
    const text = mustRun('npm', args, join(root, path));
    // npm 11 prints a list, npm 12 an object by name.
    const entries = Object.values(JSON.parse(text) as Record<string, { readonly filename: string }>);
    const file = join(this.folder, entries[0]!.filename.replace('@', '').replace('/', '-'));
    this.packed.set(path, file);
    return file;
  }

  /** Copies a project. `ours`: with the package, and its drop-ins by overrides. */
  private make(project: Project, ours: boolean): string {
    const folder = join(this.folder, ours ? project.name : `${project.name}-original`);
    cpSync(join(projectsFolder, project.name), folder, { recursive: true });
    if (!ours) return folder;
    cpSync(this.tarball('.'), join(folder, 'l3kernel.tgz'));
    for (const name of project.packed) {
      cpSync(this.tarball(join('packages', name)), join(folder, `l3kernel-${name}.tgz`));
    }
    if (project.dropIns.length === 0) return folder;
    const path = join(folder, 'package.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    const places = [['l3kernel', 'file:l3kernel.tgz']];
    for (const name of project.dropIns) {
      cpSync(this.tarball(join('packages', name)), join(folder, `l3kernel-${name}.tgz`));
      places.push([name, `file:l3kernel-${name}.tgz`]);
    }
    const dependencies = { ...manifest.dependencies, ...Object.fromEntries(places) };
    const overrides = Object.fromEntries(places.map(([name]) => [name, `$${name}`]));
    writeFileSync(path, JSON.stringify({ ...manifest, dependencies, overrides }));
    return folder;
  }

  private install(project: Project, folder: string): void {
    if (!project.isQuick) {
      mustRun('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], folder);
      return;
    }
    const modules = join(folder, 'node_modules');
    mkdirSync(join(modules, 'l3kernel'), { recursive: true });
    mustRun('tar', ['-xzf', 'l3kernel.tgz', '--strip-components=1', '-C', 'node_modules/l3kernel'], folder);
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (['.bin', 'typescript', '@typescript', '@types', 'undici-types'].includes(name) && name !== 'l3kernel') {
        symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
      }
    }
  }

  /** Makes a project, installs it and runs its check; with the originals of its drop-ins too. */
  run(project: Project): Outcome {
    try {
      const ours = this.check(project, this.make(project, true));
      if (ours.isOk && project.dropIns.length > 0) {
        for (const name of project.dropIns) this.checkOverride(project, name);
        const theirs = this.check(project, this.make(project, false));
        if (!theirs.isOk) return { isOk: false, output: `with the originals:\n${theirs.output}` };
        if (theirs.output !== ours.output) {
          return { isOk: false, output: `with the originals:\n${theirs.output}\nhere:\n${ours.output}` };
        }
      }
      return ours;
    } catch (error) {
      return { isOk: false, output: String((error as Error).message) };
    }
  }

  /** That there is the drop-in, and no copy of the original anywhere else. */
  private checkOverride({ name: project }: Project, name: string): void {
    const modules = join(this.folder, project, 'node_modules');
    const copies = readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter((path) =>
      `/${path.replaceAll('\\', '/')}`.endsWith(`/node_modules/${name}/package.json`),
    );
    for (const path of [`${name}/package.json`, ...copies]) {
      const { name: found } = JSON.parse(readFileSync(join(modules, path), 'utf8')) as { readonly name: string };
      if (found !== `@l3kernel/${name}`) throw new Error(`${path} is ${found}: the override does not hold`);
    }
  }

  private check(project: Project, folder: string): Outcome {
    this.install(project, folder);
    const bin = join(folder, 'node_modules/.bin');
    const { L3_KIND: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    const path = [dirname(process.execPath), ...(existsSync(bin) ? [bin] : []), env['PATH']].join(delimiter);
    const { status, stdout, stderr } = spawnSync(project.check, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...env, PATH: path, CI: 'true', NO_COLOR: '1' },
      shell: true,
      timeout: CHECK_ms,
      killSignal: 'SIGKILL',
    });
    if (status === 0 && stdout.trimEnd().endsWith('ok')) return { isOk: true, output: stdout };
    const end = `${project.check}: exit ${status ?? `none in ${CHECK_ms} ms`}`;
    return { isOk: false, output: `${stdout}${stderr}${end}` };
  }
}
