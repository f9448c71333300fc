/** One attempt to hand one message to one receiver. What comes back is a word and a number, and nothing of the answer. */

import { request as requestPlain } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { Millis } from '@tidegate/core'
import type { DeclaredWebhook } from '../configuration/schema.ts'
import type { Runtime } from '../runtime.ts'
import type { ReferenceSources } from '../secrets/references.ts'
import { resolveReference } from '../secrets/references.ts'
import { version } from '../version.ts'
import { destinationProblem, guardedLookup } from './destination.ts'
import { notifyLimits } from './limits.ts'
import type { Message } from './message.ts'
import { readSecret, signaturesOf } from './signature.ts'

export type Outcome =
  | { readonly kind: 'accepted' }
  /** The receiver says that it is none any more. */
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'failed'
      /** In words, without anything that the receiver or the network made up. */
      readonly error: string
      /** As the receiver asked. */
      readonly pause?: Millis
    }
  /** Nothing could be sent: a secret is missing, or is not one. */
  | { readonly kind: 'unready'; readonly error: string }
  /** This server ends, and whether it was taken is not known. */
  | { readonly kind: 'stopped' }

export type Courier = {
  readonly deliver: (webhook: DeclaredWebhook, message: Message, stopping: AbortSignal) => Promise<Outcome>
  /** Why nothing can be sent, in words; `undefined`: it can. */
  readonly unready: (webhook: DeclaredWebhook) => Promise<string | undefined>
}

type Patience = Pick<typeof notifyLimits, 'connect' | 'answer'>
type Deps = {
  readonly runtime: Runtime
  readonly secrets: ReferenceSources
  readonly patience?: { readonly [name in keyof Patience]: Millis }
}

export function createCourier({ runtime, secrets, patience = notifyLimits }: Deps): Courier {
  return {
    async deliver(webhook, message, stopping) {
      const means = await meansOf(webhook, secrets)
      if ('error' in means) return { kind: 'unready', error: means.error }
      const timestamp = Math.floor(runtime.now() / 1_000)
      const headers = {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(message.body)),
        'user-agent': `Tidegate/${version}`,
        'webhook-id': message.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signaturesOf({ ...message, timestamp }, means.secrets),
      }
      const answer = post({ url: webhook.url, ca: means.ca, headers, body: message.body, stopping, patience })
      return answer.then(outcomeOf, (error: unknown) => (stopping.aborted ? { kind: 'stopped' } : failureOf(error)))
    },
    async unready(webhook) {
      const means = await meansOf(webhook, secrets)
      return 'error' in means ? means.error : undefined
    },
  }
}

type Means = { readonly secrets: readonly Buffer[]; readonly ca: string | undefined }

/** Read with each message, so that a secret that was exchanged holds at once. */
async function meansOf(
  { url, secrets: references, ca }: DeclaredWebhook,
  sources: ReferenceSources,
): Promise<Means | { readonly error: string }> {
  const problem = destinationProblem(url)
  if (problem !== undefined) return { error: problem }
  try {
    const secrets: Buffer[] = []
    for (const reference of references) secrets.push(await secretOf(reference, sources))
    return { secrets, ca: ca === undefined ? undefined : await resolveReference(ca, sources) }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

async function secretOf(reference: string, sources: ReferenceSources): Promise<Buffer> {
  const text = await resolveReference(reference, sources)
  try {
    return readSecret(text)
  } catch (error) {
    throw new Error(`The secret ${reference} cannot be used. ${(error as Error).message}`, { cause: error })
  }
}

type Answer = { readonly status: number; readonly retryAfter: string | undefined }

type Posting = {
  readonly url: string
  readonly ca: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly stopping: AbortSignal
  readonly patience: { readonly connect: Millis; readonly answer: Millis }
}

/** Redirects are not followed, and nothing is kept of the answer: it is read so that the receiver can end it in peace. */
function post({ url, ca, headers, body, stopping, patience }: Posting): Promise<Answer> {
  const { protocol } = new URL(url)
  const isPlain = protocol === 'http:'
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(patience.answer)])
  const options = { method: 'POST', headers, agent: false, lookup: guardedLookup, signal, ...(ca && { ca }) } as const
  return new Promise((resolve, reject) => {
    const sending = isPlain ? requestPlain(url, options) : requestSecure(url, options)
    const slow = setTimeout(() => sending.destroy(codeError('CONNECT_TIMEOUT')), patience.connect)
    sending.once('socket', (socket) => socket.once(isPlain ? 'connect' : 'secureConnect', () => clearTimeout(slow)))
    sending.once('close', () => clearTimeout(slow))
    sending.once('error', reject)
    sending.once('response', (answer) => {
      resolve({ status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'] })
      discard(answer)
    })
    sending.end(body)
  })
}

function discard(answer: IncomingMessage): void {
  let bytes = 0
  answer.on('error', () => undefined)
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > notifyLimits.answerBytes) answer.destroy()
  })
}

const codeError = (code: string): Error => Object.assign(new Error(code), { code })

function outcomeOf({ status, retryAfter }: Answer): Outcome {
  if (status >= 200 && status < 300) return { kind: 'accepted' }
  if (status === 410) return { kind: 'gone' }
  const pause = pauseOf(retryAfter)
  return { kind: 'failed', error: `It answered ${status}.`, ...(pause !== undefined && { pause }) }
}

/** In seconds; as a date it would be by the receiver's clock, and is not read. */
function pauseOf(text: string | undefined): Millis | undefined {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined
  return Math.min(Number(text) * 1_000, notifyLimits.longestPause) as Millis
}

/** By code alone: a message may have anything in it. */
function failureOf(error: unknown): Outcome {
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown }
  if (name === 'TimeoutError' || name === 'AbortError') return { kind: 'failed', error: 'It did not answer in time.' }
  return {
    kind: 'failed',
    error: typeof code === 'string' ? `It could not be reached (${code}).` : 'It could not be reached.',
  }
}
