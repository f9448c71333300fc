/** The gateway: listens, lets clients in, and knows its sessions. */

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { GrantId } from '@tidegate/core'
import { postgresLimits } from '../limits.ts'
import { createKeyRing } from '../scram/keys.ts'
import { createBudget } from '../wire/framer.ts'
import { createAhead } from './ahead.ts'
import { createDepartures } from './departures.ts'
import { createVisits } from './visit.ts'
import { type GatewayPorts, type GatewaySettings, type PostgresSession, type Reason, sessionLimits } from './ports.ts'
import { createRegistry } from './registry.ts'
import { createServerTls } from './tls.ts'
import { createWaitingRoom } from './waiting-room.ts'

export type PostgresGateway = {
  readonly host: string
  readonly port: number
  readonly sessions: () => readonly PostgresSession[]
  /** Ends one session; false when there is none of that id. Resolves when it is closed. */
  readonly end: (session: string, reason: Reason) => Promise<boolean>
  /** Ends all sessions of a grant, and says how many there were. */
  readonly endGrant: (grant: GrantId, reason: Reason) => Promise<number>
  /** Takes no more connections and ends those there are. */
  readonly stop: (reason?: Reason) => Promise<void>
}

/** @throws when the settings contradict each other, or the address cannot be listened on */
export async function createPostgresGateway(ports: GatewayPorts, settings: GatewaySettings): Promise<PostgresGateway> {
  check(settings)
  const limits = { ...sessionLimits, ...settings.limits }
  const registry = createRegistry(limits)
  const room = createWaitingRoom(limits)
  const tls = settings.tls && createServerTls(settings.tls)
  const departures = createDepartures()
  const keysOf = createKeyRing(postgresLimits.rememberedKeys)
  const visits = createVisits({
    ports,
    settings,
    limits,
    registry,
    room,
    tls,
    budget: createBudget(postgresLimits.gatheredSizeBytes),
    keysOf,
    ahead: createAhead({ ports, places: registry, keysOf }),
    departures,
  })
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, visits.receive)
  await listen(server, settings)
  const { address, port } = server.address() as AddressInfo

  const endAll = async (sessions: readonly PostgresSession[], reason: Reason): Promise<number> => {
    await Promise.all(sessions.map((session) => session.end(reason)))
    return sessions.length
  }
  const endOne = (id: string, reason: Reason): Promise<number> =>
    endAll(
      registry.list().filter((session) => session.id === id),
      reason,
    )

  return {
    host: address,
    port,
    sessions: registry.list,
    end: async (id, reason) => (await endOne(id, reason)) > 0,
    endGrant: (grant, reason) => endAll(registry.ofGrant(grant), reason),
    async stop(reason = 'the gateway is stopping') {
      const closed = server.listening ? once(server, 'close') : undefined
      server.close()
      room.close()
      await visits.settled()
      await endAll(registry.list(), reason)
      await departures.settled()
      await closed
    },
  }
}

/** Half-configured security does not start. */
function check({ tls, plain, mockSecret }: GatewaySettings): void {
  if (tls === undefined && plain === 'nobody') {
    throw new RangeError('no client could connect: give a key and a certificate, or allow plain connections')
  }
  if (mockSecret.length < 32) throw new RangeError('the secret for unknown users has at least 32 bytes')
}

async function listen(server: Server, { host, port }: GatewaySettings): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening')
}
