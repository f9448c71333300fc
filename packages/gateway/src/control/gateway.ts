/** A gateway that the control plane tells who may come in: started, and stopped. */

import { randomBytes } from 'node:crypto'
import { ApiError } from '@tidegate/api'
import { systemClock } from '../postgres/shell/clock.ts'
import { createPostgresGateway, type PostgresGateway } from '../postgres/shell/gateway.ts'
import type { Authority, Login, PostgresSession } from '../postgres/shell/ports.ts'
import { codeOf, type Connecting, enrol } from './control-plane.ts'
import { lockFolder } from './folder-lock.ts'
import { connectInside, type Inside } from './inside.ts'
import { type Enrolled, type Identity, loadIdentity, saveEnrolled } from './identity.ts'
import { GatewayRefusal } from './refusal.ts'
import { createServerClock, type ServerClock } from './server-clock.ts'
import { addressOf, checkSettings, type GatewayOptions } from './settings.ts'

export type RunningGateway = {
  readonly id: string
  readonly host: string
  readonly port: number
  /** Ends sessions (each client is told why), finishes recordings, reports what it can. */
  readonly stop: () => Promise<void>
  /** Resolves with what to tell people when it cannot go on: it was removed, its key is refused. */
  readonly lost: Promise<string>
}

/** @throws GatewayRefusal (code, message, remedy) for what must not start */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  checkSettings(options)
  const lock = await usable(options, () => lockFolder(options.dir))
  try {
    const { stop, ...running } = await startLocked(options)
    const stopAndRelease = async (): Promise<void> => {
      await stop()
      await lock.release()
    }
    return { ...running, stop: stopAndRelease }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function startLocked(options: GatewayOptions): Promise<RunningGateway> {
  const identity = await usable(options, () => loadIdentity(options.dir))
  checkEnrolment(options, identity)
  const clock = createServerClock(options.clock ?? systemClock)
  // It listens before it is known who may come in: the control plane is to be told the port.
  let inside: Inside | undefined
  const postgres = await listen(options, { clock, identity, inside: () => inside })
  try {
    const address = addressOf(options, postgres.port)
    const connecting = { url: options.url, identity, address, clock, fetch: options.fetch }
    const { gateway } = identity.enrolled ?? (await enrolWith(options, connecting))
    inside = await connectInside({ options, connecting, gateway, random: randomBytes, stopListening: postgres.stop })
    await inside.first
    const { stop, lost } = inside
    return { id: gateway, host: postgres.host, port: postgres.port, stop, lost }
  } catch (error) {
    await (inside === undefined ? postgres.stop() : inside.stop())
    throw error
  }
}

/** A folder that cannot be used is a setting like any other. */
async function usable<T>({ dir }: GatewayOptions, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
    if (code === undefined || error instanceof GatewayRefusal) throw error
    throw new GatewayRefusal(
      'setting',
      `The identity of a gateway can neither be read nor made in ${dir} (${code}).`,
      'Name a folder that belongs to the user that this runs as.',
    )
  }
}

function checkEnrolment({ dir, url, enrolmentToken, log }: GatewayOptions, { enrolled }: Identity): void {
  if (enrolled === undefined && enrolmentToken === undefined) {
    throw new GatewayRefusal(
      'setting',
      `There is no gateway's identity in ${dir}, and no enrolment token.`,
      'Ask an administrator for a token: tidegate gateways new NAME',
    )
  }
  if (enrolled === undefined) return
  if (enrolmentToken !== undefined) log('enrolment-token-ignored', { gateway: enrolled.gateway, dir })
  if (enrolled.url !== url) log('control-plane-moved', { from: enrolled.url, to: url })
}

type House = {
  readonly clock: ServerClock
  readonly identity: Identity
  readonly inside: () => Inside | undefined
}

async function listen(options: GatewayOptions, { clock, identity, inside }: House): Promise<PostgresGateway> {
  const { listen: place, tls, log } = options
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
      mockSecret: identity.secretFor('unknown users'),
    })
  } catch (error) {
    throw new GatewayRefusal(
      'in-use',
      `${place.host}:${place.port} cannot be listened on: ${error instanceof Error ? error.message : String(error)}.`,
      'Choose another address or port, or stop what has it.',
    )
  }
}

async function enrolWith({ dir, url, enrolmentToken = '' }: GatewayOptions, connecting: Connecting): Promise<Enrolled> {
  const enrolled = await enrol(connecting, enrolmentToken).catch((error: unknown) => notEnrolled(url, error))
  await saveEnrolled(dir, enrolled)
  return enrolled
}

function notEnrolled(url: string, error: unknown): never {
  if (!(error instanceof ApiError) || codeOf(error) === 'unavailable') {
    throw new GatewayRefusal(
      'unreachable',
      `No control plane answers at ${url}.`,
      'Check the address, and that its server runs.',
    )
  }
  const problems = (error.details.problems ?? []).map(({ field, message }) => ` ${field}: ${message}`).join('')
  throw new GatewayRefusal(
    'unknown',
    `The control plane did not enrol this gateway: ${error.message}${problems}`,
    'A token is good once, and for an hour. Ask an administrator for a new one: tidegate gateways new NAME',
  )
}
