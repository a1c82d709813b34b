/**
 * The packed package in small projects of other people's kinds. A project is a folder of projects/: its package.json
 * says by `packaging` what it shows, and by the script `check` how it is run; the last line that it prints is `ok`.
 *
 * The package is packed once, so that what its `files` leave out is missing here too. A quick project needs nothing
 * that is not among the development dependencies; the others are installed by npm, with the registry.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../compat/project.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const projectsFolder = fileURLToPath(new URL('projects', import.meta.url));
const INSTALL_ms = 240_000;
const CHECK_ms = 90_000;

export interface Project {
  readonly name: string;
  /** What kind of project it is, in a few words. */
  readonly about: string;
  readonly isQuick: boolean;
  readonly check: string;
  /** Drop-ins that it needs packed beside the package, by the names of the originals. */
  readonly dropIns: readonly string[];
}

export interface Outcome {
  readonly isOk: boolean;
  readonly output: string;
}

interface Manifest {
  readonly scripts: { readonly check: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly packaging: { readonly about: string; readonly quick?: boolean; readonly dropIns?: readonly string[] };
}

/** Every project, the quick ones first. */
export function projects(): Project[] {
  return readdirSync(projectsFolder)
    .map((name): Project => {
      const text = readFileSync(join(projectsFolder, name, 'package.json'), 'utf8');
      const { scripts, packaging } = JSON.parse(text) as Manifest;
      const { about, quick = false, dropIns = [] } = packaging;
      return { name, about, isQuick: quick, check: scripts.check, dropIns };
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

  /** Copies a project and gives it its dependencies. */
  private make(project: Project): string {
    const folder = join(this.folder, project.name);
    cpSync(join(projectsFolder, project.name), folder, { recursive: true });
    cpSync(this.tarball('.'), join(folder, 'l3kernel.tgz'));
    for (const name of project.dropIns) {
      cpSync(this.tarball(join('packages', name)), join(folder, `l3kernel-${name}.tgz`));
    }
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

  /** Makes a project, installs it and runs its check. */
  run(project: Project): Outcome {
    let folder: string;
    try {
      folder = this.make(project);
      this.install(project, folder);
    } catch (error) {
      return { isOk: false, output: String((error as Error).message) };
    }
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
    const isOk = status === 0 && stdout.trimEnd().endsWith('ok');
    return {
      isOk,
      output: isOk ? '' : `${stdout}${stderr}${project.check}: exit ${status ?? `none in ${CHECK_ms} ms`}`,
    };
  }
}
