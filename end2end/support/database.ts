// Changes the SQLite file of a stopped server by SQL.

import { copyFile, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import sqlite from 'node-sqlite3-wasm';

export type Database = InstanceType<typeof sqlite.Database>;

/** Runs `change` on the database in `file`, which no other process has open. */
export async function changeDatabase(file: string, change: (database: Database) => void): Promise<void> {
  // Works on a copy, because the lock file of this SQLite library has the name of the server's lock file.
  const folder = await mkdtemp(path.join(path.dirname(file), 'change-'));
  const copy = path.join(folder, 'copy.db');
  await copyFile(file, copy);
  await copyFile(`${file}-wal`, `${copy}-wal`).catch(() => {}); // The write-ahead log may be absent.
  const database = new sqlite.Database(copy);
  try {
    // This library has no shared memory; a write-ahead log is readable without it only in exclusive mode.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE');
    database.exec('PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN');
    change(database);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
  await rm(`${file}-wal`, { force: true });
  await rm(`${file}-shm`, { force: true });
  await rename(copy, file);
  await rm(folder, { recursive: true });
}
