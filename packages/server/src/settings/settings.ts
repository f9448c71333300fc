/**
 * How this process runs, from the environment and an optional file. One row a setting; the reference page is made
 * from it. What is half configured, or would be unsafe, is refused with the reason.
 */

import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { parseDuration } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import { parse as parseYaml } from 'yaml'
import type { KeySource } from '../secrets/master-key.ts'
import { StartRefusal } from './start-refusal.ts'

export type SettingRow = {
  readonly env: string
  /** Its name in the settings file; absent: a secret, which only the environment may hold. */
  readonly file?: string
  readonly default?: string
  readonly about: string
}

export const settingRows = {
  listen: { env: 'TIDEGATE_LISTEN', file: 'listen', default: '127.0.0.1:7070', about: 'Address and port of the API.' },
  data: {
    env: 'TIDEGATE_DATA',
    file: 'data',
    default: './.tidegate',
    about: 'Folder for what this process keeps: the embedded PostgreSQL and the key file.',
  },
  databaseUrl: {
    env: 'DATABASE_URL',
    about: 'Your PostgreSQL as the store. Unset: an embedded one in the data folder.',
  },
  key: {
    env: 'TIDEGATE_KEY',
    about:
      'Master key, 32 bytes in base64. Required with DATABASE_URL unless a key file is named. Several, with spaces between them: the first seals, the others only open, while one takes the place of another.',
  },
  keyFile: {
    env: 'TIDEGATE_KEY_FILE',
    file: 'keyFile',
    about:
      'File with the master key, mode 0600; several are several lines, as in TIDEGATE_KEY. Unset, with the embedded store: `key` in the data folder, made on first start.',
  },
  publicUrl: {
    env: 'TIDEGATE_PUBLIC_URL',
    file: 'publicUrl',
    about:
      'Where people and identity providers reach this server, such as https://tidegate.example.com. Unset: the address it listens on.',
  },
  tlsCert: {
    env: 'TIDEGATE_TLS_CERT',
    file: 'tlsCert',
    about: 'PEM file with the certificate chain of the API. Only together with TIDEGATE_TLS_KEY.',
  },
  tlsKey: { env: 'TIDEGATE_TLS_KEY', file: 'tlsKey', about: 'PEM file with its private key.' },
  behindTls: {
    env: 'TIDEGATE_BEHIND_TLS',
    file: 'behindTls',
    default: 'false',
    about: '`true`: something in front of a non-loopback address ends TLS.',
  },
  proxies: {
    env: 'TIDEGATE_PROXIES',
    file: 'proxies',
    about:
      'Addresses or networks of what stands in front, separated by commas, such as `10.0.0.0/24`: their `X-Forwarded-For` says where a request comes from. Unset: nobody’s does.',
  },
  secretsDir: {
    env: 'TIDEGATE_SECRETS_DIR',
    file: 'secretsDir',
    default: '/run/secrets',
    about: 'The only folder that `file:` references of the configuration may name.',
  },
  logLevel: {
    env: 'TIDEGATE_LOG_LEVEL',
    file: 'logLevel',
    default: 'info',
    about: 'fatal, error, warn, info, debug or silent.',
  },
  metricsToken: {
    env: 'TIDEGATE_METRICS_TOKEN',
    about: 'Bearer token for /metrics. Unset: /metrics answers on loopback only.',
  },
  sweepEvery: {
    env: 'TIDEGATE_SWEEP_EVERY',
    file: 'sweepEvery',
    default: '5m',
    about: 'How often each target is read for logins that should not be, and its roles are aligned.',
  },
  reaskEvery: {
    env: 'TIDEGATE_REASK_EVERY',
    file: 'reaskEvery',
    default: '1m',
    about: 'How often the question is asked again for every open grant, signal or not.',
  },
  maxConnections: {
    env: 'TIDEGATE_DB_CONNECTIONS',
    file: 'maxConnections',
    default: '20',
    about: 'Connections to the store for calls. A server has 40 more, for work on targets, closing and gateways.',
  },
} as const satisfies Record<string, SettingRow>

type Name = keyof typeof settingRows

export type Settings = {
  readonly listen: { readonly host: string; readonly port: number }
  readonly store:
    | { readonly kind: 'embedded'; readonly dataDir: string }
    | { readonly kind: 'url'; readonly url: string }
  readonly key: KeySource
  /** Without a slash at its end. */
  readonly publicUrl?: string
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
  /** Whose word about where a request comes from is believed. Absent: nobody's. */
  readonly proxies?: readonly string[]
  readonly secretsDir: string
  readonly logLevel: string
  readonly metricsToken?: string
  readonly sweepEvery: Millis
  readonly reaskEvery: Millis
  readonly maxConnections: number
}

export type Env = Readonly<Record<string, string | undefined>>

/** @param file path of a settings file, YAML; `undefined`: none */
export async function loadSettings(env: Env, file: string | undefined): Promise<Settings> {
  return readSettings(env, file === undefined ? {} : await readSettingsFile(file))
}

async function readSettingsFile(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new StartRefusal(`The settings file ${path} cannot be read (${cause.code}).`, 'Name a file that exists.')
  })
  const value = parseSettings(path, text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StartRefusal(
      `The settings file ${path} is not a mapping.`,
      'Write lines such as `listen: 127.0.0.1:7070`.',
    )
  }
  const known = new Set(Object.values<SettingRow>(settingRows).map((row) => row.file))
  for (const name of Object.keys(value)) {
    if (!known.has(name)) {
      throw new StartRefusal(
        `${path}: there is no setting ${name}.`,
        `Settings are: ${[...known].filter(Boolean).join(', ')}. Secrets go into the environment.`,
      )
    }
  }
  return value as Record<string, unknown>
}

function parseSettings(path: string, text: string): unknown {
  try {
    return parseYaml(text) ?? {}
  } catch {
    throw new StartRefusal(`The settings file ${path} is not YAML.`, 'Write lines such as `listen: 127.0.0.1:7070`.')
  }
}

export function readSettings(env: Env, file: Readonly<Record<string, unknown>>): Settings {
  const get = (name: Name): string | undefined => {
    const row: SettingRow = settingRows[name]
    return nonEmpty(env[row.env]) ?? fromFile(row, file) ?? row.default
  }
  const listen = readListen(get('listen') ?? '')
  const tls = readTls(get('tlsCert'), get('tlsKey'))
  const behindTls = readBoolean('behindTls', get('behindTls'))
  if (!tls && !behindTls && !isLoopback(listen.host)) {
    throw new StartRefusal(
      `TIDEGATE_LISTEN=${listen.host} is reachable from outside and has no TLS.`,
      'Set TIDEGATE_TLS_CERT and TIDEGATE_TLS_KEY, or TIDEGATE_BEHIND_TLS=true when something in front ends TLS.',
    )
  }
  const metricsToken = get('metricsToken')
  const publicUrl = get('publicUrl')
  const proxies = get('proxies')
  return {
    listen,
    ...readStore({
      databaseUrl: get('databaseUrl'),
      data: get('data') ?? '',
      key: get('key'),
      keyFile: get('keyFile'),
    }),
    ...(tls && { tls }),
    ...(publicUrl !== undefined && { publicUrl: readPublicUrl(publicUrl) }),
    ...(proxies !== undefined && { proxies: readProxies(proxies) }),
    secretsDir: resolve(get('secretsDir') ?? ''),
    logLevel: readLogLevel(get('logLevel') ?? ''),
    ...(metricsToken !== undefined && { metricsToken }),
    sweepEvery: readDuration('sweepEvery', get('sweepEvery')),
    reaskEvery: readDuration('reaskEvery', get('reaskEvery')),
    maxConnections: readCount('maxConnections', get('maxConnections')),
  }
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)

/** A name without a value is half a setting: it is refused, where a variable that is empty counts as unset. */
function fromFile(row: SettingRow, file: Readonly<Record<string, unknown>>): string | undefined {
  if (row.file === undefined || !Object.hasOwn(file, row.file)) return undefined
  const value = file[row.file]
  if ((typeof value === 'string' && value !== '') || typeof value === 'number' || typeof value === 'boolean')
    return String(value)
  throw new StartRefusal(
    `${row.file} in the settings file (${row.env}) has no single value.`,
    'Give it one, or leave it out.',
  )
}

const refuse = (name: Name, message: string, remedy: string): never => {
  throw new StartRefusal(`${settingRows[name].env}: ${message}`, remedy)
}

function readListen(text: string): Settings['listen'] {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535)
    return refuse('listen', `${text} is not HOST:PORT.`, 'Write for example 127.0.0.1:7070 or [::1]:7070.')
  return { host: (match[1] ?? match[2]) as string, port }
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

function readTls(certFile: string | undefined, keyFile: string | undefined): Settings['tls'] {
  if (certFile === undefined && keyFile === undefined) return undefined
  if (certFile === undefined)
    return refuse('tlsCert', 'missing, while TIDEGATE_TLS_KEY is set.', 'Set both or neither.')
  if (keyFile === undefined) return refuse('tlsKey', 'missing, while TIDEGATE_TLS_CERT is set.', 'Set both or neither.')
  return { certFile: resolve(certFile), keyFile: resolve(keyFile) }
}

/** Cookies are for a whole host, and sign-ins lead back to it: a path would be another's as well. */
function readPublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const safe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname.replaceAll(/[[\]]/g, '')))
  if (url && safe && url.href === `${url.origin}/`) return url.origin
  return refuse(
    'publicUrl',
    'not https://HOST, without path, query or user.',
    'Write for example https://tidegate.example.com.',
  )
}

/** A network of everyone would let everyone say that they are someone else. */
function readProxies(text: string): readonly string[] {
  return text.split(',').map((part) => {
    const one = part.trim()
    const [address = '', prefix, ...rest] = one.split('/')
    const family = isIP(address)
    const bits = prefix === undefined ? 1 : /^\d{1,3}$/.test(prefix) ? Number(prefix) : 0
    if (family !== 0 && rest.length === 0 && bits > 0 && bits <= (family === 4 ? 32 : 128)) return one
    return refuse('proxies', `${one} is neither an address nor a network.`, 'Write for example 10.0.0.7, fd00::/64.')
  })
}

type StoreInput = {
  databaseUrl: string | undefined
  data: string
  key: string | undefined
  keyFile: string | undefined
}

function readStore({ databaseUrl, data, key, keyFile }: StoreInput): Pick<Settings, 'store' | 'key'> {
  if (key !== undefined && keyFile !== undefined) {
    return refuse(
      'key',
      'set together with TIDEGATE_KEY_FILE.',
      'Set one of them: it must be clear which key is meant.',
    )
  }
  const named: KeySource | undefined =
    key !== undefined
      ? { from: 'value', text: key }
      : keyFile !== undefined
        ? { from: 'file', path: resolve(keyFile), make: false }
        : undefined
  if (databaseUrl === undefined) {
    const dataDir = resolve(data)
    const own: KeySource = { from: 'file', path: join(dataDir, 'key'), make: true }
    return { store: { kind: 'embedded', dataDir }, key: named ?? own }
  }
  if (!/^postgres(ql)?:\/\//.test(databaseUrl))
    return refuse('databaseUrl', 'not a postgres:// URL.', 'Write postgres://USER:PASSWORD@HOST:PORT/DATABASE.')
  if (!named) {
    return refuse(
      'key',
      'missing, while DATABASE_URL is set: every server on that store needs the same key.',
      'Set it (openssl rand -base64 32), or TIDEGATE_KEY_FILE.',
    )
  }
  return { store: { kind: 'url', url: databaseUrl }, key: named }
}

function readBoolean(name: Name, text: string | undefined): boolean {
  if (text === 'true') return true
  if (text === 'false' || text === undefined) return false
  return refuse(name, `${text} is neither true nor false.`, 'Write true or false.')
}

function readLogLevel(text: string): string {
  const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'silent']
  return levels.includes(text) ? text : refuse('logLevel', `${text} is no level.`, `Use one of ${levels.join(', ')}.`)
}

function readDuration(name: Name, text: string | undefined): Millis {
  return parseDuration(text ?? '') ?? refuse(name, `${text} is not a duration.`, 'Write for example 30s, 5m or 1h.')
}

function readCount(name: Name, text: string | undefined): number {
  const count = Number(text)
  return Number.isInteger(count) && count >= 4 && count <= 1_000
    ? count
    : refuse(name, `${text} is not a number from 4 to 1000.`, 'Write for example 20.')
}
