/** How a gateway runs, from the environment. One row a setting; the reference page is made from it. */

import { readFile } from 'node:fs/promises'
import { gatewayLimits } from '@tidegate/api'
import { parseDuration } from '@tidegate/core'
import type { GatewayOptions } from '@tidegate/gateway'
import type { Environment } from '../context.ts'
import { Failure } from '../failure.ts'
import { errorCode } from '../private-file.ts'
import { hostPort } from '../values.ts'
import type { HostPort } from '../values.ts'

export type GatewaySettingRow = { readonly env: string; readonly default?: string; readonly about: string }

export const gatewaySettingRows = {
  listen: {
    env: 'TIDEGATE_GATEWAY_LISTEN',
    default: '127.0.0.1:7432',
    about: 'Where clients connect to a gateway. `tidegate server` starts one of its own where this is set.',
  },
  data: {
    env: 'TIDEGATE_GATEWAY_DATA',
    about: 'Folder of `tidegate gateway`: its identity and its recordings.',
  },
  enrolmentToken: {
    env: 'TIDEGATE_ENROLMENT_TOKEN',
    about: 'What a gateway enrols with, at its first start.',
  },
  advertise: {
    env: 'TIDEGATE_GATEWAY_ADVERTISE',
    about: 'Where clients reach a gateway, if that is not where it listens.',
  },
  tlsCert: {
    env: 'TIDEGATE_GATEWAY_TLS_CERT',
    about: 'PEM file with the certificate chain of a gateway. Only together with TIDEGATE_GATEWAY_TLS_KEY.',
  },
  tlsKey: { env: 'TIDEGATE_GATEWAY_TLS_KEY', about: 'PEM file with its private key.' },
  tlsCa: {
    env: 'TIDEGATE_GATEWAY_TLS_CA',
    about: 'PEM file with the certificate authority that clients are to trust. Unset: the public ones.',
  },
  workers: {
    env: 'TIDEGATE_GATEWAY_WORKERS',
    default: '1',
    about: 'Processes of a gateway, where what goes through it needs more than one processor.',
  },
  openWithoutServer: {
    env: 'TIDEGATE_GATEWAY_OPEN_WITHOUT_SERVER',
    default: '10s',
    about: 'For how long a gateway opens sessions when no server answers it. Those that are open go on to their ends.',
  },
} as const satisfies Record<string, GatewaySettingRow>

type Name = keyof typeof gatewaySettingRows

export type GatewaySettings = Pick<GatewayOptions, 'listen' | 'advertise' | 'tls' | 'openWithoutServerMs' | 'workers'>

/** A variable that is set to nothing is not set. */
export const gatewaySetting = (env: Environment, name: Name): string | undefined =>
  env[gatewaySettingRows[name].env] || undefined

/** @throws {Failure} for what is half configured or cannot be read */
export async function readGatewaySettings(env: Environment): Promise<GatewaySettings> {
  const advertise = gatewaySetting(env, 'advertise')
  const tls = await readTls(env)
  return {
    listen: readAddress('listen', gatewaySetting(env, 'listen') ?? gatewaySettingRows.listen.default),
    ...(advertise !== undefined && { advertise: readAddress('advertise', advertise) }),
    ...(tls && { tls }),
    openWithoutServerMs: readDuration(env),
    workers: readWorkers(env),
  }
}

function readAddress(name: Name, text: string): HostPort {
  return hostPort.read(text) ?? refuse(name, `${text} is not HOST:PORT`, hostPort.expects)
}

function readDuration(env: Environment): number {
  const { default: standard } = gatewaySettingRows.openWithoutServer
  const text = gatewaySetting(env, 'openWithoutServer') ?? standard
  return parseDuration(text) ?? refuse('openWithoutServer', `${text} is not a duration`, 'Write for example 10s.')
}

function readWorkers(env: Environment): number {
  const text = gatewaySetting(env, 'workers') ?? gatewaySettingRows.workers.default
  const { workers: most } = gatewayLimits
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= most) return count
  return refuse('workers', `${text} is not a number of processes`, `Give a whole number from 1 to ${most}.`)
}

async function readTls(env: Environment): Promise<GatewayOptions['tls']> {
  const [cert, key, ca] = (['tlsCert', 'tlsKey', 'tlsCa'] as const).map((name) => gatewaySetting(env, name))
  if (cert === undefined && key === undefined && ca === undefined) return undefined
  if (cert === undefined) return refuse('tlsCert', 'missing, while TLS is configured', bothOrNeither)
  if (key === undefined) return refuse('tlsKey', 'missing, while TLS is configured', bothOrNeither)
  return {
    cert: await readPem('tlsCert', cert),
    key: await readPem('tlsKey', key),
    ...(ca !== undefined && { ca: await readPem('tlsCa', ca) }),
  }
}

const bothOrNeither = 'Give the certificate and its key, or none of what TLS takes.'

async function readPem(name: Name, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    return refuse(name, `${path} cannot be read (${errorCode(error) ?? 'unknown'})`, 'Name a PEM file.')
  }
}

function refuse(name: Name, problem: string, remedy: string): never {
  throw new Failure('usage', `${gatewaySettingRows[name].env}: ${problem}.`, { remedy })
}
