/** The last part of coming in: the target is reached, and the session opens. */

import type { Socket } from 'node:net'
import type { SessionMask } from '../../mask/mask.ts'
import { readingProblem } from '../session/reading.ts'
import type { MakeKeys } from '../scram/keys.ts'
import type { Budget } from '../wire/framer.ts'
import { protocol } from '../wire/startup.ts'
import { authenticationOk, backendKeyData, parameterStatus, readyForQuery } from '../wire/write.ts'
import type { Ahead, Early } from './ahead.ts'
import { askTarget } from './ask-target.ts'
import type { Departures } from './departures.ts'
import { turnAway } from './greeting.ts'
import type { LoggedIn } from './login.ts'
import type { Admission, ClientFacts, GatewayPorts, Login } from './ports.ts'
import type { CancelKey, Registry } from './registry.ts'
import { openSession } from './session.ts'
import { openTarget, type OpenTarget, TargetRefusal } from './target.ts'

export type Entrance = {
  readonly client: Socket
  readonly chosen: LoggedIn
  readonly login: Login
  readonly facts: ClientFacts
  readonly admission: Admission
  /** Absent: nothing was opened ahead. */
  readonly early: Early | undefined
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal
}

type House = {
  readonly ahead: Ahead
  readonly ports: GatewayPorts
  readonly registry: Registry
  readonly budget: Budget
  readonly keysOf: MakeKeys
  readonly departures: Departures
}

/** @throws HandshakeError when it does not come to a session; the client has been told, and nothing is left open */
export async function enter(entrance: Entrance, house: House): Promise<void> {
  const { client, admission, early } = entrance
  const { ports, registry } = house
  const opening = early?.take(admission)
  const full = opening === undefined ? registry.reserve(admission) : undefined
  if (full !== undefined) {
    await admission.recorder.end()
    return turnAway(client, '53300', full)
  }
  try {
    const target = await reachTarget(entrance, house, opening)
    open(entrance, house, { target, mask: await openMask(entrance, ports, target) })
  } catch (error) {
    registry.release(admission)
    await admission.recorder.end()
    throw error
  }
}

/** `undefined`: nothing was opened ahead, or nothing that is of use. */
type Opening = ReturnType<Early['take']>

type Reached = { readonly target: OpenTarget; readonly mask: SessionMask | undefined }

function open(
  entrance: Entrance,
  { ports, registry, budget, departures, ahead }: House,
  { target, mask }: Reached,
): void {
  const { client, chosen, login, facts, admission } = entrance
  const { clock, random } = ports
  const processId = registry.freeProcessId(random)
  const key = Buffer.from(random(chosen.version >= protocol.v32 ? 32 : 4))
  client.write(welcome(target, { processId, key }))
  const session = openSession({ admission, login, facts, client, target, clock, budget, departures, mask })
  registry.add(session, { processId, key })
  ahead.opened({ login, address: facts.address })
  ports.opened?.(session)
}

async function reachTarget(entrance: Entrance, house: House, opening: Opening): Promise<OpenTarget> {
  const { client, signal } = entrance
  const target = (await opening) ?? (await loggedIn(entrance, house))
  const problem = target.parameters.map(({ name, value }) => readingProblem(name, value)).find(Boolean)
  if (problem === undefined && !client.destroyed && !signal.aborted) return target
  target.socket.destroy()
  return turnAway(client, '42501', problem ?? 'the client has left')
}

/** Whoever's results cannot be masked gets none. */
async function openMask(
  { client, admission, signal }: Entrance,
  { log }: GatewayPorts,
  { socket }: OpenTarget,
): Promise<SessionMask | undefined> {
  const { mask, grant } = admission
  if (mask === undefined) return undefined
  try {
    const opened = await mask.open(await askTarget(socket, mask.question))
    if (!client.destroyed && !signal.aborted) return opened
  } catch (error) {
    log?.('mask-failed', { grant, why: String(error) })
  }
  socket.destroy()
  return turnAway(client, '58000', 'what is masked on the target cannot be found out; its tables could not be read')
}

type Reaching = Pick<Entrance, 'client' | 'chosen' | 'admission' | 'signal'>

async function loggedIn({ client, chosen, admission, signal }: Reaching, house: House): Promise<OpenTarget> {
  const { random, log } = house.ports
  try {
    const { target } = admission
    return await openTarget({ target, parameters: chosen.forTarget, random, signal, keysOf: house.keysOf })
  } catch (error) {
    log?.('target-failed', { grant: admission.grant, why: String(error) })
    if (error instanceof TargetRefusal) return turnAway(client, error.refusal.sqlstate, refusedFor(error))
    return turnAway(client, '08006', 'the target cannot be reached; whoever runs the gateway finds out why in its log')
  }
}

/** What it says of the login itself is not the client's to know: that is ours, and its faults are too. */
function refusedFor({ refusal: { sqlstate, message } }: TargetRefusal): string {
  return sqlstate.startsWith('28')
    ? 'the target did not let Tidegate in'
    : `the target did not open a session: ${message}`
}

/** What a server says once the login is done, with a key that is ours. */
function welcome({ parameters }: OpenTarget, { processId, key }: CancelKey): Buffer {
  const told = parameters.map(({ name, value }) => parameterStatus(name, value))
  return Buffer.concat([authenticationOk(), ...told, backendKeyData(processId, key), readyForQuery()])
}
