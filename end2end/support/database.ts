// The SQLite file of a server that is stopped, changed by SQL.

import { copyFile, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import sqlite from 'node-sqlite3-wasm';

export type Database = InstanceType<typeof sqlite.Database>;

/** Runs `change` on the database in `file`, which nothing else has open. */
export async function changeDatabase(file: string, change: (database: Database) => void): Promise<void> {
  // On a copy: this SQLite's own lock has the name of the file with which a server keeps the next one away.
  const folder = await mkdtemp(path.join(path.dirname(file), 'change-'));
  const copy = path.join(folder, 'copy.db');
  await copyFile(file, copy);
  await copyFile(`${file}-wal`, `${copy}-wal`).catch(() => {}); // There need be none.
  const database = new sqlite.Database(copy);
  try {
    // It has no shared memory: only who is alone reads a write-ahead log without it.
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
