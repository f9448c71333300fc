/** Which key a log is verified with, and what it must go on from. */

import type { LogSource, LogVerdict } from '@tidegate/audit'
import { httpSource, parseVerifierKey } from '@tidegate/audit'
import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { limits, patience } from '../limits.ts'
import { readBounded } from '../server.ts'
import { parseUrl, serverUrl } from '../settings.ts'
import { readRemembered, remember, rememberedPath } from './remembered.ts'

export type Trust = {
  readonly vkey: string
  /** Those before it that were verified. */
  readonly earlierKeys?: readonly string[]
  /** A key that was given besides: the log has to lead there. */
  readonly reaches?: string
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

/** @throws {Failure} where there is no key to be had */
export async function trustFor(
  invocation: Invocation,
  { url, given }: { readonly url: string; readonly given: string | undefined },
): Promise<Trust> {
  const known = await readRemembered(invocation, url)
  if (known === undefined) {
    if (given !== undefined) return { vkey: checkKey(given), from: 'given' }
    return { vkey: checkKey(await publishedKey(invocation, url)), from: 'first-use' }
  }
  const { key, earlierKeys = [], checkpoint } = known
  const isKnown = given === undefined || [key, ...earlierKeys].includes(given)
  return {
    vkey: key,
    earlierKeys,
    earlier: checkpoint,
    from: 'remembered',
    ...(!isKnown && { reaches: checkKey(given) }),
  }
}

type Verified = Extract<LogVerdict, { readonly ok: true }>
type Good = { readonly url: string; readonly trust: Trust; readonly verdict: Verified }

/** @throws {Failure} where the log leads from the key that is remembered to others than the one that was given */
export async function rememberVerified(invocation: Invocation, { url, trust, verdict }: Good): Promise<void> {
  const { keys, checkpoint } = verdict
  const { vkey, earlierKeys = [], reaches } = trust
  if (reaches !== undefined && !keys.includes(reaches)) {
    throw new Failure('verification-failed', `${url} is remembered with another key: ${vkey}`, {
      remedy: `The log does not lead from there to the one that was given. If its operators say that it is another log now, remove ${rememberedPath(invocation, url)} and verify again.`,
    })
  }
  const before = [...earlierKeys, ...keys.slice(0, -1)]
  const key = keys.at(-1) ?? vkey
  await remember(invocation, { url, key, checkpoint, ...(before.length > 0 && { earlierKeys: before }) })
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
    const signal = AbortSignal.timeout(patience.callMs)
    const response = await fetch(address, { redirect: 'error', signal })
    if (response.status === 200)
      return Buffer.from(await readBounded(response, { maxBytes: limits.verifierKeyBytes, signal }))
        .toString()
        .trim()
    await response.body?.cancel()
  } catch (cause) {
    throw new Failure('unavailable', `The log's key cannot be read from ${address}.`, { cause })
  }
  throw new Failure('not-found', `There is no log at ${url}.`, { remedy: 'Name another with --log or --url.' })
}
