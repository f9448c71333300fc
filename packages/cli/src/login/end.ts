/** The server is told that a login is over. */

import type { Context } from '../context.ts'
import type { KeptAt } from '../settings.ts'
import { mayCarryToken } from '../settings.ts'
import type { KeptLogin } from './kept-login.ts'
import { readLogin } from './kept-login.ts'

/** @returns whether it is over now; where the server cannot be asked, it goes on there until its time is up */
export const endKeptLogin = async (context: Context, at: KeptAt): Promise<boolean> =>
  readLogin(context, at).then(
    (login) => endLogin(context, login),
    // In a keychain that stays locked, for example. What is not in hand cannot be given back.
    () => false,
  )

/** One that is over already is as it should be. */
export async function endLogin(context: Context, login: KeptLogin): Promise<boolean> {
  try {
    mayCarryToken(login.url, context.env)
    const { revoke } = await import('./authorization-server.ts')
    await revoke(context, login)
    return true
  } catch {
    return false
  }
}
