// Starts the built binary on its own port and database, and runs its commands.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { type Database, changeDatabase } from './database';

const END2END = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The binary under test; `LATCHKEY_BIN` names another. */
export const BINARY = path.resolve(END2END, process.env.LATCHKEY_BIN ?? '../target/debug/latchkey');

const DATABASE = 'latchkey.db';
const READY = /Latchkey is ready on (http:\/\/\S+?)\/?(?=[\s"\\]|$)/;
const START_TIMEOUT = 30_000;
const STOP_TIMEOUT = 20_000;

/** The output and exit status of a program. */
export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** A running `latchkey serve`. */
export class Server {
  private constructor(
    private running: Running,
    /** The temporary folder with the database. */
    readonly folder: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** Starts a server on an empty database. `settings` are additional environment variables. */
  static async start(settings: Record<string, string> = {}): Promise<Server> {
    const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-end2end-'));
    const environment = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      RUST_LOG: 'info',
      LATCHKEY_DRAIN_SECONDS: '0',
      LATCHKEY_LISTEN: '127.0.0.1:0',
      ...settings,
      DATABASE_URL: `sqlite://${path.join(folder, DATABASE)}?mode=rwc`,
    };
    try {
      return new Server(await serve(folder, environment), folder, environment);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** The origin, e.g. `http://127.0.0.1:41233`. */
  get origin(): string {
    return this.running.origin;
  }

  /** The log so far. */
  get log(): string {
    return this.running.output.text;
  }

  /**
   * Stops the server, changes its database by SQL, and starts it on another port. For states that no command creates: a hundred
   * thousand keys, or a key that expired last week.
   */
  async restartOn(change: (database: Database) => void): Promise<void> {
    await this.stop({ keep: true });
    await changeDatabase(path.join(this.folder, DATABASE), change);
    this.running = await serve(this.folder, this.environment);
  }

  /** Runs `latchkey ARGUMENTS…` on the same database, beside the server. `input` is its standard input. */
  async run(arguments_: string[], input = ''): Promise<Finished> {
    return run(BINARY, arguments_, { cwd: this.folder, env: this.environment, input });
  }

  /** Runs a command line in a shell that finds `latchkey` in `folder`. */
  async shell(command: string, folder: string): Promise<Finished> {
    const env = { ...this.environment, PATH: `${folder}:${this.environment.PATH ?? ''}` };
    return run('sh', ['-c', command], { cwd: this.folder, env, input: '' });
  }

  /** Runs a command with `--json` and returns its parsed output; throws if the command fails. */
  async json<T>(arguments_: string[], input = ''): Promise<T> {
    const { code, stdout, stderr } = await this.run([...arguments_, '--json'], input);
    if (code !== 0) {
      throw new Error(`latchkey ${arguments_.slice(0, 2).join(' ')} ended with ${code}: ${stderr}`);
    }
    return JSON.parse(stdout) as T;
  }

  /** Stops the server by SIGTERM, waits for its exit, and removes its folder unless `keep` is set. */
  async stop({ keep = false } = {}): Promise<void> {
    const { child } = this.running;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT);
      await ended;
      clearTimeout(late);
    }
    if (!keep) {
      await rm(this.folder, { recursive: true, force: true });
    }
    if (child.exitCode !== 0) {
      throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}:\n${tail(this.log)}`);
    }
  }
}

/** A running server process. */
interface Running {
  child: ChildProcess;
  output: { text: string };
  origin: string;
}

async function serve(folder: string, environment: NodeJS.ProcessEnv): Promise<Running> {
  const child = spawn(BINARY, ['serve'], { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { text: '' };
  try {
    return { child, output, origin: await ready(child, output) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Runs a program and returns its output, whether or not it succeeds. */
export function run(
  program: string,
  arguments_: string[],
  { cwd, env, input = '' }: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, arguments_, { cwd, env, timeout: 30_000 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') {
        reject(error);
      } else {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      }
    });
    child.stdin?.on('error', () => {}); // A program that reads no input closes its standard input early.
    child.stdin?.end(input);
  });
}

function ready(child: ChildProcess, output: { text: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`no server after ${START_TIMEOUT / 1000} s:\n${tail(output.text)}`)),
      START_TIMEOUT,
    );
    const read = (chunk: Buffer): void => {
      output.text += chunk.toString();
      const origin = READY.exec(output.text)?.[1];
      if (origin) {
        clearTimeout(late);
        resolve(origin);
      }
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', (error) => {
      clearTimeout(late);
      reject(new Error(`cannot run ${BINARY}: ${error.message} (cargo xtask build makes it)`));
    });
    child.once('exit', (code) => {
      clearTimeout(late);
      reject(new Error(`the server ended with ${code}:\n${tail(output.text)}`));
    });
  });
}

function tail(log: string): string {
  return log.split('\n').slice(-40).join('\n');
}
