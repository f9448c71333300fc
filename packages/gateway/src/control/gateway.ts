/** A gateway that the control plane tells who may come in: started, and stopped. */

import { ApiError } from '@tidegate/api'
import { wholeShare } from '../share.ts'
import type { Address } from './contract.ts'
import { codeOf, type Connecting, createSignIn, enrol } from './control-plane.ts'
import { lockFolder } from './folder-lock.ts'
import { type Enrolled, type Identity, loadIdentity, saveEnrolled } from './identity.ts'
import { type Reached, type RunningGateway, startProcess } from './one-process.ts'
import { GatewayRefusal } from './refusal.ts'
import { checkSettings, type GatewayOptions } from './settings.ts'
import { startWorkers } from './workers/primary.ts'

/** @throws GatewayRefusal (code, message, remedy) for what must not start */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  checkSettings(options)
  const lock = await usable(options, () => lockFolder(options.dir))
  try {
    const { id, host, port, stop, lost } = await startLocked(options)
    const stopAndRelease = async (): Promise<void> => {
      await stop()
      await lock.release()
    }
    return { id, host, port, lost, stop: stopAndRelease }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function startLocked(options: GatewayOptions): Promise<RunningGateway> {
  const identity = await usable(options, () => loadIdentity(options.dir))
  checkEnrolment(options, identity)
  const backing = {
    mockSecret: identity.secretFor('unknown users'),
    reach: (address: Address) => reach(options, identity, address),
  }
  const { workers = 1 } = options
  if (workers > 1) return startWorkers(options, { ...backing, workers })
  return startProcess(options, { ...backing, share: wholeShare })
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

async function reach(options: GatewayOptions, identity: Identity, address: Address): Promise<Reached> {
  const connecting = { url: options.url, identity, address, fetch: options.fetch }
  const { gateway } = identity.enrolled ?? (await enrolWith(options, connecting))
  return { gateway, signIn: createSignIn(connecting, gateway) }
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
