/** One process of a gateway, which may be all of it: it listens, and is told by the control plane who may come in. */

import { randomBytes } from 'node:crypto'
import { systemClock } from '../postgres/shell/clock.ts'
import { createPostgresGateway, type PostgresGateway } from '../postgres/shell/gateway.ts'
import { type Authority, type Login, limitsOf, type PostgresSession } from '../postgres/shell/ports.ts'
import type { CancelKey } from '../postgres/shell/registry.ts'
import type { Share } from '../share.ts'
import type { Address } from './contract.ts'
import { connectControlPlane, type SignIn } from './control-plane.ts'
import { connectInside, type Inside } from './inside.ts'
import { cannotListen } from './refusal.ts'
import { createServerClock, type ServerClock } from './server-clock.ts'
import { addressOf, type GatewayOptions } from './settings.ts'

export type RunningGateway = {
  readonly id: string
  readonly host: string
  readonly port: number
  /** Ends sessions (each client is told why), finishes recordings, reports what it can. */
  readonly stop: () => Promise<void>
  /** Resolves with what to tell people when it cannot go on: it was removed, its key is refused. */
  readonly lost: Promise<string>
}

export type RunningProcess = RunningGateway & Pick<PostgresGateway, 'cancel' | 'receive'>

/** What it has from those around it. */
export type Backing = {
  readonly share: Share
  readonly mockSecret: Uint8Array
  /** Which gateway this is, and how it signs in, once it is known where clients reach it. */
  readonly reach: (address: Address) => Promise<Reached>
  /** Of a session that another worker has. Absent: there is none. */
  readonly cancel?: (key: CancelKey) => Promise<void>
}

export type Reached = { readonly gateway: string; readonly signIn: SignIn }

/** @throws GatewayRefusal */
export async function startProcess(options: GatewayOptions, backing: Backing): Promise<RunningProcess> {
  const clock = createServerClock(options.clock ?? systemClock)
  // It listens before it is known who may come in: the control plane is to be told the port.
  let inside: Inside | undefined
  const postgres = await listen(options, backing, { clock, inside: () => inside })
  try {
    const { gateway, signIn } = await backing.reach(addressOf(options, postgres.port))
    const { url, fetch } = options
    const plane = connectControlPlane({ url, clock, fetch, signIn })
    const { share } = backing
    inside = await connectInside({
      options,
      plane,
      clock,
      gateway,
      share,
      random: randomBytes,
      stopListening: postgres.stop,
    })
    await inside.first
    const { stop, lost } = inside
    return {
      id: gateway,
      host: postgres.host,
      port: postgres.port,
      cancel: postgres.cancel,
      receive: postgres.receive,
      stop,
      lost,
    }
  } catch (error) {
    await (inside === undefined ? postgres.stop() : inside.stop())
    throw error
  }
}

type Within = {
  readonly clock: ServerClock
  readonly inside: () => Inside | undefined
}

async function listen(
  { listen: place, tls, log }: GatewayOptions,
  { share, mockSecret, cancel }: Backing,
  { clock, inside }: Within,
): Promise<PostgresGateway> {
  const authority = (): Authority => {
    const there = inside()
    if (there === undefined) throw new Error('the control plane has not been reached yet')
    return there.authority
  }
  const ports = {
    authority: {
      lookup: async (...asked: Parameters<Authority['lookup']>) => authority().lookup(...asked),
      renewed: async (login: Login) => authority().renewed?.(login),
      foresee: (login: Login) => inside()?.authority.foresee?.(login),
      admit: async (...asked: Parameters<Authority['admit']>) => authority().admit(...asked),
    },
    clock,
    random: (count: number) => randomBytes(count),
    opened: (session: PostgresSession) => inside()?.opened(session),
    log,
  }
  try {
    return await createPostgresGateway(ports, {
      ...place,
      ...(tls && { tls: { key: tls.key, cert: tls.cert } }),
      plain: tls === undefined ? 'loopback' : 'nobody',
      mockSecret,
      limits: limitsOf(share),
      ...(cancel && { siblings: { share, cancel } }),
    })
  } catch (error) {
    return cannotListen(place, error)
  }
}
