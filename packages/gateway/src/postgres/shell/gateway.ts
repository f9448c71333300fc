/** The gateway: listens, lets clients in, and knows its sessions. */

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { GrantId } from '@tidegate/core'
import { postgresLimits } from '../limits.ts'
import { createKeyRing } from '../scram/keys.ts'
import { createBudget } from '../wire/framer.ts'
import { createAhead } from './ahead.ts'
import { createDepartures } from './departures.ts'
import { createVisits } from './visit.ts'
import { type GatewayPorts, type GatewaySettings, type PostgresSession, type Reason, sessionLimits } from './ports.ts'
import { type CancelKey, createRegistry } from './registry.ts'
import { socketOptions } from './socket-options.ts'
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
  /** One that somebody else accepted. */
  readonly receive: (socket: Socket) => void
  /** A request to cancel that came in elsewhere, for a session that is here. */
  readonly cancel: (key: CancelKey) => Promise<void>
  /** Takes no more connections and ends those there are. */
  readonly stop: (reason?: Reason) => Promise<void>
}

/** @throws when the settings contradict each other, or the address cannot be listened on */
export async function createPostgresGateway(ports: GatewayPorts, settings: GatewaySettings): Promise<PostgresGateway> {
  check(settings)
  const limits = { ...sessionLimits, ...settings.limits }
  const registry = createRegistry(limits, settings.siblings)
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
  const listening = settings.siblings === undefined ? await listen(settings, visits.receive) : handed(settings)

  let isStopping = false
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
    host: listening.host,
    port: listening.port,
    receive: (socket) => void (isStopping ? socket.destroy() : visits.receive(socket)),
    sessions: registry.list,
    end: async (id, reason) => (await endOne(id, reason)) > 0,
    endGrant: (grant, reason) => endAll(registry.ofGrant(grant), reason),
    cancel: registry.cancelHere,
    async stop(reason = 'the gateway is stopping') {
      isStopping = true
      const closed = listening.close()
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

type Listening = { readonly host: string; readonly port: number; readonly close: () => Promise<void> }

async function listen({ host, port }: GatewaySettings, receive: (socket: Socket) => void): Promise<Listening> {
  const server = createServer(socketOptions, receive)
  server.listen(port, host)
  await once(server, 'listening')
  const { address, port: chosen } = server.address() as AddressInfo
  return {
    host: address,
    port: chosen,
    async close() {
      const closed = server.listening ? once(server, 'close') : undefined
      server.close()
      await closed
    },
  }
}

const handed = ({ host, port }: GatewaySettings): Listening => ({ host, port, close: () => Promise.resolve() })
