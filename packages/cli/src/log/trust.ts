/** Which key a log is verified with, and what it must go on from. */

import type { LogSource } from '@tidegate/audit'
import { httpSource, parseVerifierKey } from '@tidegate/audit'
import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { limits, patience } from '../limits.ts'
import { readBounded } from '../server.ts'
import { parseUrl, serverUrl } from '../settings.ts'
import { readRemembered, rememberedPath } from './remembered.ts'

export type Trust = {
  readonly vkey: string
  /** The checkpoint that was verified last. Absent: it is verified here for the first time. */
  readonly earlier?: string
  /** `first-use`: the log vouches for itself, this once. */
  readonly from: 'given' | 'remembered' | 'first-use'
}

/** The log's address: the one given, or that of the server. Ends in a slash. */
export const logUrl = async (invocation: Invocation, given: string | undefined): Promise<string> =>
  `${given === undefined ? `${await serverUrl(invocation)}/log` : parseUrl(given)}/`

/** A log is public: no token goes with what is read of it. */
export const logSource = ({ fetch }: Invocation, url: string): LogSource => httpSource(url, { fetch })

/** @throws {Failure} where the key given is not the one remembered, or there is none to be had */
export async function trustFor(
  invocation: Invocation,
  { url, given }: { readonly url: string; readonly given: string | undefined },
): Promise<Trust> {
  const known = await readRemembered(invocation, url)
  if (known === undefined) {
    if (given !== undefined) return { vkey: checkKey(given), from: 'given' }
    return { vkey: checkKey(await publishedKey(invocation, url)), from: 'first-use' }
  }
  if (given !== undefined && given !== known.key) {
    throw new Failure('verification-failed', `${url} is remembered with another key: ${known.key}`, {
      remedy: `If its operators say that the key has changed, remove ${rememberedPath(invocation, url)} and verify again.`,
    })
  }
  return { vkey: known.key, earlier: known.checkpoint, from: 'remembered' }
}

export function checkKey(vkey: string): string {
  if (parseVerifierKey(vkey) !== undefined) return vkey
  throw new Failure('usage', 'The verifier key is not one.', {
    remedy: 'Write it as the log publishes it: NAME+HASH+KEY.',
  })
}

async function publishedKey({ fetch }: Invocation, url: string): Promise<string> {
  const address = `${url}key`
  try {
    const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(patience.callMs) })
    if (response.status === 200)
      return Buffer.from(await readBounded(response, limits.verifierKeyBytes))
        .toString()
        .trim()
    await response.body?.cancel()
  } catch (cause) {
    throw new Failure('unavailable', `The log's key cannot be read from ${address}.`, { cause })
  }
  throw new Failure('not-found', `There is no log at ${url}.`, { remedy: 'Name another with --log or --url.' })
}
