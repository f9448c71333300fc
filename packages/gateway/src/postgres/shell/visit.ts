/** A connection from its first byte to its session, or to its end. Each goes its own way, and none waits for another. */

import { BlockList, isIPv6, type Socket } from 'node:net'
import { after, type Millis } from '@tidegate/core'
import { postgresLimits } from '../limits.ts'
import type { MakeKeys } from '../scram/keys.ts'
import type { Budget } from '../wire/framer.ts'
import type { Ahead, Early } from './ahead.ts'
import type { Departures } from './departures.ts'
import { type Entrance, enter } from './entrance.ts'
import { type Greeting, greet, TurnedAway, turnAway } from './greeting.ts'
import { logClientIn, type LoggedIn } from './login.ts'
import type { Admission, Authority, ClientFacts, GatewayPorts, GatewaySettings, SessionLimits } from './ports.ts'
import type { Registry } from './registry.ts'
import type { ServerTls } from './tls.ts'
import type { Visitor, WaitingRoom } from './waiting-room.ts'

type VisitConfig = {
  readonly ports: GatewayPorts
  readonly settings: GatewaySettings
  readonly limits: SessionLimits
  readonly registry: Registry
  readonly ahead: Ahead
  readonly room: WaitingRoom
  readonly tls: ServerTls | undefined
  readonly budget: Budget
  readonly keysOf: MakeKeys
  readonly departures: Departures
}

export type Visits = {
  readonly receive: (socket: Socket) => void
  /** Resolves when none is under way. */
  readonly settled: () => Promise<void>
}

export function createVisits(config: VisitConfig): Visits {
  const { ports, limits, room } = config
  const { clock } = ports
  const underWay = new Set<Promise<void>>()

  const visit = async (socket: Socket): Promise<void> => {
    const visitor = room.enter(socket)
    const left = new AbortController()
    const leave = (): void => left.abort()
    socket.once('close', leave)
    const cancelDeadline = clock.at(after(clock.now(), limits.handshakeMs as Millis), () => socket.destroy())
    try {
      await receive(config, visitor, left.signal)
    } catch (error) {
      ports.log?.('handshake-failed', { address: visitor.address, why: String(error) })
      if (error instanceof TurnedAway) destroyLater(socket)
      else socket.destroy()
    } finally {
      // From here on its end is the session's business.
      socket.off('close', leave)
      cancelDeadline()
      visitor.leave()
    }
  }

  return {
    receive(socket) {
      socket.on('error', () => undefined)
      const visiting = visit(socket).finally(() => underWay.delete(visiting))
      underWay.add(visiting)
    },
    async settled() {
      await Promise.all(underWay)
    },
  }
}

async function receive(config: VisitConfig, visitor: Visitor, signal: AbortSignal): Promise<void> {
  const { settings, registry, tls } = config
  const { socket: plain, address } = visitor
  const greeting = await greet(plain, { tls, mustEncrypt: !mayBePlain(settings.plain, address) })
  const { packet, socket } = greeting
  if (packet.type === 'cancel') {
    await registry.cancel(packet)
    socket.end()
    destroyLater(plain)
    return
  }
  visitor.progress = 1
  let early: Early | undefined
  const beginEarly = ({ user, database, forTarget: parameters }: LoggedIn): void => {
    early = config.ahead.begin({ login: { user, database }, address, parameters, signal })
  }
  try {
    const chosen = await logIn(config, greeting, beginEarly)
    visitor.progress = 2
    const { user, database } = chosen
    const proved = { client: socket, chosen, login: { user, database }, facts: factsOf(greeting, visitor, chosen) }
    await enter({ ...proved, admission: await admit(config, proved), early, signal }, config)
  } finally {
    early?.drop()
  }
}

type Coming = (choice: LoggedIn) => void

function logIn({ ports, settings, tls }: VisitConfig, greeting: Greeting, coming: Coming): Promise<LoggedIn> {
  const { authority, random } = ports
  const { socket } = greeting
  const { mockSecret } = settings
  const lookup: Authority['lookup'] = (login) => asked(socket, () => authority.lookup(login))
  const renewed: Authority['renewed'] = (login) => asked(socket, async () => authority.renewed?.(login))
  return logClientIn(greeting, { lookup, renewed, coming, random, mockSecret, binding: tls?.binding })
}

type Proved = Pick<Entrance, 'client' | 'login' | 'facts'>

async function admit({ ports }: VisitConfig, { client, login, facts }: Proved): Promise<Admission> {
  const admission = await asked(client, () => ports.authority.admit(login, facts))
  return admission.outcome === 'admitted' ? admission : turnAway(client, '28000', admission.reason)
}

/** When nobody can say who may come in, nobody does. */
async function asked<T>(socket: Socket, question: () => Promise<T>): Promise<T> {
  try {
    return await question()
  } catch {
    return turnAway(socket, '57P03', 'whether you may come in cannot be found out at the moment; try again')
  }
}

function factsOf(greeting: Greeting, { address, socket }: Visitor, { forTarget }: LoggedIn): ClientFacts {
  const applicationName = forTarget.get('application_name') ?? ''
  return { address, port: socket.remotePort ?? 0, tls: greeting.overTls, applicationName }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** IPv4 in IPv6's clothes is IPv4. */
function mayBePlain(plain: GatewaySettings['plain'], address: string): boolean {
  if (plain !== 'loopback') return plain === 'everybody'
  const bare = address.replace(/^::ffff:/i, '')
  return loopback.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4')
}

function destroyLater(socket: Socket): void {
  const late = setTimeout(() => socket.destroy(), postgresLimits.farewellMs)
  socket.once('close', () => clearTimeout(late))
}
