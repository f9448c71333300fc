import { join } from 'node:path'
import type { Account } from './account.ts'
import { accountFor } from './account.ts'
import { findInstallation, provideBinaries } from './binaries.ts'
import { clusterIn, prepareCluster, superuser } from './cluster.ts'
import { type Connection, secretUrlOf } from './connection.ts'
import { prepareDataDir } from './data-dir.ts'
import { isEmbeddedError } from './faults.ts'
import { freePortAttempts, logFileSizeBytes } from './limits.ts'
import { type DataDirLock, lockDataDir } from './lock.ts'
import { type LogSink, createLogFile } from './log.ts'
import { stopOrphan } from './orphan.ts'
import { freePort } from './port.ts'
import type { StopMode } from './process.ts'
import { type Exit, type Launch, type Server, startServer } from './server.ts'

export interface EmbeddedOptions {
  /** Made if it is not there. The database goes into `<dataDir>/postgres`. */
  readonly dataDir: string
  /** The lock on `dataDir`, for a caller that holds it already. Absent: taken here, and released when PostgreSQL exits. */
  readonly lock?: DataDirLock
  /** On 127.0.0.1. Absent: a free one, another at each start. */
  readonly port?: number
  /** Gets PostgreSQL's log, line by line. Absent: it goes to `<dataDir>/postgres.log`. */
  readonly log?: (line: string) => void
  /** PostgreSQL's own settings, such as `max_connections`. They show in the process list: no secrets. */
  readonly settings?: Readonly<Record<string, string>>
  /** False gives up what a power failure may take, for speed: for data that nobody will miss. */
  readonly durable: boolean
}

export interface EmbeddedPostgres {
  readonly port: number
  readonly pid: number
  readonly connection: Connection
  /** `postgres://…`, with the superuser's password. */
  readonly secretAdminUrl: string
  /** `fast` ends sessions and writes everything out; `immediate` leaves recovery to the next start. May be called again. */
  stop(mode?: StopMode): Promise<void>
  /** Resolves when PostgreSQL is gone, asked to or not, and its lock is released. Never rejects. */
  readonly exited: Promise<Exit>
}

/** Below what the caller sets. */
const defaultSettings = {
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The log shows neither statements nor the rows they failed on: both can hold secrets.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
} as const

/** Held by the caller, who releases it too. */
const callersLock: DataDirLock = { release: async () => {} }

const notDurable = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } as const

/**
 * Starts a real PostgreSQL on `dataDir`, making the database on first use and stopping what a killed Tidegate left
 * running there. It is in a process group of its own, so that Ctrl-C reaches Tidegate and not the store under it, and it
 * stops soon after us if we die without stopping it.
 * @throws EmbeddedError
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const account = await accountFor(clusterIn(options.dataDir))
  const dataDir = await prepareDataDir(options.dataDir, account)
  const lock = options.lock === undefined ? await lockDataDir(dataDir) : callersLock
  try {
    return await startLocked({ ...options, dataDir }, { account, lock })
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function startLocked(
  options: EmbeddedOptions,
  { account, lock }: { account: Account | undefined; lock: DataDirLock },
): Promise<EmbeddedPostgres> {
  const { dataDir, durable, port } = options
  const cluster = clusterIn(dataDir)
  const { initdb, postgres } = await provideBinaries(await findInstallation(), { dataDir, account })
  await stopOrphan(cluster)
  const { password } = await prepareCluster({ dataDir, initdb, account, durable })
  const log = options.log === undefined ? openLogFile(dataDir) : { write: options.log, close: () => {} }
  const settings = { ...defaultSettings, ...(durable ? {} : notDurable), ...options.settings }
  const launch = { postgres, cluster, account, settings, log: log.write }
  try {
    const server = await (port === undefined ? startOnFreePort(launch, freePortAttempts) : startServer(launch, port))
    return present({ server, password, log, lock })
  } catch (error) {
    log.close()
    throw error
  }
}

async function startOnFreePort(launch: Launch, attempts: number): Promise<Server> {
  try {
    return await startServer(launch, await freePort())
  } catch (error) {
    if (attempts > 1 && isEmbeddedError(error, 'port-in-use')) return startOnFreePort(launch, attempts - 1)
    throw error
  }
}

function present(parts: { server: Server; password: string; log: LogSink; lock: DataDirLock }): EmbeddedPostgres {
  const { server, password, log, lock } = parts
  const { port, pid } = server
  const connection = { host: '127.0.0.1', port, user: superuser, password, database: 'postgres' }
  const exited = server.exited.then(async (exit) => {
    log.close()
    // A lock that cannot be removed is stale from the moment we exit.
    await lock.release().catch(() => {})
    return exit
  })
  return {
    port,
    pid,
    connection,
    secretAdminUrl: secretUrlOf(connection),
    exited,
    async stop(mode = 'fast') {
      await server.stop(mode)
      await exited
    },
  }
}

function openLogFile(dataDir: string): LogSink {
  return createLogFile(join(dataDir, 'postgres.log'), logFileSizeBytes)
}
