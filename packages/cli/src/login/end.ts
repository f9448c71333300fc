/** The server is told that a login is over. */

import { ApiError } from '@tidegate/api'
import type { Context } from '../context.ts'
import { Failure } from '../failure.ts'
import type { KeptAt } from '../settings.ts'
import { mayCarryToken } from '../settings.ts'

/** @returns whether it is over now; where the server cannot be asked, it goes on there until its time is up */
export async function endKeptLogin(context: Context, at: KeptAt): Promise<boolean> {
  try {
    mayCarryToken(at.url, context.env)
    const { createLoginFetch } = await import('./login-fetch.ts')
    const client = context.createClient({ url: at.url, fetch: await createLoginFetch(context, at) })
    await client.endLogin({ id: at.login.id })
    return true
  } catch (error) {
    // Whoever is not known by it any more has nothing to end.
    return isUnknown(error)
  }
}

const isUnknown = (error: unknown): boolean =>
  (error instanceof ApiError && error.code === 'unauthenticated') ||
  (error instanceof Failure && error.exit === 'unauthenticated')
