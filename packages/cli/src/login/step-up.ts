/** A login gets stronger: its person proves more in a browser, and what is kept here goes on with that (RFC 9470). */

import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { styled } from '../output.ts'
import type { KeptAt } from '../settings.ts'
import { importKey, revoke } from './authorization-server.ts'
import type { Demand } from './authorization-server.ts'
import type { KeptLogin } from './kept-login.ts'
import { keepLogin, readLogin } from './kept-login.ts'
import { withLoginLock } from './lock.ts'
import { clientOfLogin, createLoginFetch } from './login-fetch.ts'
import type { Way } from './sign-in.ts'
import { signIn, wayFor } from './sign-in.ts'

/** In the midst of a command: what for is said before. */
export async function stepUpOnTheWay(invocation: Invocation, at: KeptAt, demand: Demand): Promise<KeptAt> {
  const { out } = invocation
  out.note([styled('yellow', 'A stronger sign-in is needed'), `: ${demand.said}`])
  const now = await stepUp(invocation, at, { demand, way: await wayFor(invocation, {}) })
  out.note('It is proved; going on.')
  return now
}

type Proving = { readonly demand: Demand; readonly way: Way }

/** @returns where it is kept now. @throws {Failure} where nothing came of it; the login is as it was then */
export async function stepUp(invocation: Invocation, at: KeptAt, { demand, way }: Proving): Promise<KeptAt> {
  const { url } = at
  const plain = invocation.createClient({ url, fetch: await createLoginFetch(invocation, at) })
  const before = await plain.whoami({})
  const kept = await readLogin(invocation, at)
  const key = await importKey(kept.key)
  const held = await interruptible(invocation, (signal) => signIn(invocation, { url, key, way, demand, signal }))
  const stronger: KeptLogin = { ...kept, ...held }
  const after = await (await clientOfLogin(invocation, stronger)).whoami({})
  if (after.principal !== before.principal) {
    await revoke(invocation, stronger)
    throw someoneElse(after.principal, before.principal)
  }
  const id = after.login ?? kept.id
  const { at: now } = await withLoginLock(invocation, () => keepLogin(invocation, { ...stronger, id }))
  if (id !== kept.id) await revoke(invocation, kept).catch(() => undefined)
  return now
}

const someoneElse = (there: string, here: string): Failure =>
  new Failure('step-up', `The browser is signed in as ${there}, and this command line is ${here}.`, {
    remedy: 'Sign out there, and in as whom you are here; the login here is as it was.',
  })

/** A signal ends the wait, and with it the command: nothing was done by then. */
async function interruptible<T>(
  { onSignal }: Pick<Invocation, 'onSignal'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController()
  const stops = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((name) => onSignal(name, () => abort.abort()))
  try {
    return await work(abort.signal)
  } catch (error) {
    if (!abort.signal.aborted) throw error
    throw new Failure('step-up', 'It was interrupted before it was proved. The login is as it was.', {
      remedy: 'Run the command again.',
    })
  } finally {
    for (const stop of stops) stop()
  }
}
