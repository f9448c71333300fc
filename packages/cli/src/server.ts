/** Talking to the server. */

import { ApiError } from '@tidegate/api'
import type { Client } from '@tidegate/api'
import type { Context, Invocation } from './context.ts'
import { limits, patience } from './limits.ts'
import type { Prove } from './login/login-fetch.ts'
import type { ServerSettings } from './settings.ts'
import { serverSettings } from './settings.ts'

export async function connectToServer(invocation: Invocation): Promise<Client> {
  const settings = await serverSettings(invocation)
  if ('token' in settings) return clientFor(invocation, settings)
  // Loaded for who needs it: whoever has a token does not wait for the protocols of a login.
  const { createLoginFetch } = await import('./login/login-fetch.ts')
  const prove = invocation.stepsUp ? await proveInBrowser(invocation) : undefined
  return invocation.createClient({ url: settings.url, fetch: await createLoginFetch(invocation, settings, prove) })
}

async function proveInBrowser(invocation: Invocation): Promise<Prove> {
  const { stepUpOnTheWay } = await import('./login/step-up.ts')
  return (at, demand) => stepUpOnTheWay(invocation, at, demand)
}

export const clientFor = ({ createClient, fetch }: Context, settings: ServerSettings): Client =>
  createClient({ ...settings, fetch: wholeAnswers(fetch) })

/** An answer that breaks off, never comes, or never ends is the same to callers as none: the client says `unavailable`. */
export function wholeAnswers(send: typeof fetch): typeof fetch {
  return async (input, init) => {
    const timeout = AbortSignal.timeout(patience.callMs)
    const signal = init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout
    const response = await send(input, { ...init, signal })
    const body = await readBounded(response, { maxBytes: limits.answerBytes, signal })
    return new Response(body.length === 0 ? null : body, { status: response.status, headers: response.headers })
  }
}

type Bounds = { readonly maxBytes: number; readonly signal: AbortSignal }

/** The whole body, given up as soon as it exceeds its bound, or the signal says so: `fetch` may be deaf to it (see the client). */
export async function readBounded({ body }: Response, { maxBytes, signal }: Bounds): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop by the throw cancels the body.
  for await (const chunk of body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal }) ?? []) {
    size += chunk.length
    if (size > maxBytes) throw new RangeError(`the answer exceeds ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** A key that makes a creation happen once, however often the network makes us send it. */
export const idempotencyKey = ({ random }: Pick<Context, 'random'>): string =>
  Buffer.from(random(18)).toString('base64url')

type Retries = { readonly delaysMs?: readonly number[]; readonly signal?: AbortSignal }

/** Sends again what may have been lost on the way. Only for calls that do no harm when they are done twice. */
export async function retrying<T>(
  { sleep }: Pick<Context, 'sleep'>,
  call: () => Promise<T>,
  { delaysMs = patience.networkMs, signal }: Retries = {},
): Promise<T> {
  for (const delayMs of delaysMs) {
    try {
      return await call()
    } catch (error) {
      if (!isTransient(error) || signal?.aborted === true) throw error
      await sleep(delayMs, signal)
    }
  }
  return call()
}

/** No answer, or one that says to try again. */
export const isTransient = (error: unknown): boolean => error instanceof ApiError && error.code === 'unavailable'
