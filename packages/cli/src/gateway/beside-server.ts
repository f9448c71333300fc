/** A gateway in the process of a server, for a single node. It comes and goes like any other, and knows as little. */

import { join, resolve } from 'node:path'
import type { GatewayOptions, RunningGateway } from '@tidegate/gateway'
import type { RunningServer, Settings } from '@tidegate/server'
import type { Environment } from '../context.ts'
import { Failure } from '../failure.ts'
import { parseUrl } from '../settings.ts'
import { hasEnrolled } from './enrolment.ts'
import type { GatewaySettings } from './settings.ts'
import { gatewaySetting, gatewaySettingRows, readGatewaySettings } from './settings.ts'
import { startGatewayHere } from './start.ts'

export type Beside = {
  readonly settings: GatewaySettings
  readonly dir: string
  /** Where it finds the server. Absent: at the address that the server listens on. */
  readonly url?: string
}

/** What it is called. */
const name = 'local'

/** `undefined`: none is asked for. @throws {Failure} before anything is started */
export async function readBeside(env: Environment, settings: Settings): Promise<Beside | undefined> {
  if (gatewaySetting(env, 'listen') === undefined) return undefined
  const url = settings.tls === undefined ? undefined : ownUrl(env)
  return {
    settings: await readGatewaySettings(env),
    dir: join(dataFolder(env, settings), 'gateway'),
    ...(url !== undefined && { url }),
  }
}

/** Servers on a store of their own have a data folder; others have to be given one that outlives them. */
function dataFolder(env: Environment, { store }: Settings): string {
  if (store.kind === 'embedded') return store.dataDir
  if (env['TIDEGATE_DATA']) return resolve(env['TIDEGATE_DATA'])
  throw new Failure('usage', `${gatewaySettingRows.listen.env} is set, and there is no data folder.`, {
    remedy: 'Say where the gateway is to keep its identity and recordings: --data DIR. Or run `tidegate gateway`.',
  })
}

/** A certificate is for a name, and not for the address that is listened on. */
function ownUrl(env: Environment): string {
  if (env['TIDEGATE_URL']) return parseUrl(env['TIDEGATE_URL'])
  throw new Failure('usage', `${gatewaySettingRows.listen.env} is set, and the server answers with TLS.`, {
    remedy: 'Set TIDEGATE_URL to the address that its certificate is for: the gateway connects there.',
  })
}

type Starting = { readonly server: RunningServer; readonly log: GatewayOptions['log'] }

export async function startBeside({ settings, dir, url }: Beside, { server, log }: Starting): Promise<RunningGateway> {
  const invited = (await hasEnrolled(dir)) ? undefined : await server.inviteGateway(name)
  return startGatewayHere({
    ...settings,
    url: url ?? server.url,
    dir,
    ...(invited && { enrolmentToken: invited.enrolmentToken }),
    log,
  })
}
