/**
 * What takes long about passwords, done before the change that rests on it: while one is hashed no transaction is open,
 * and no connection to the store is held.
 */

import type { Instant } from '@tidegate/core'
import type { Runtime } from '../../runtime.ts'
import type { Database } from '../../store/database.ts'
import { waitBefore } from '../factors/guesses.ts'
import { guesserOf } from '../factors/step-up.ts'
import type { Hashing } from './hashing.ts'
import { invitedUser } from './invitations.ts'
import { hashPassword, isPassword, passwordProblem } from './password.ts'

type Deps = { readonly db: Database; readonly runtime: Runtime; readonly hashing: Hashing }

export type PasswordProof =
  /** There were too many wrong guesses: it was not even looked at. */
  | { readonly waitUntil: Instant }
  /** `against`: what it was compared with, which has to be so still. Absent: nobody's. */
  | { readonly right: boolean; readonly against?: string }

type Typed = { readonly user: string; readonly password: string; readonly address: string }

/** As slowly where there is no such account. */
export async function provePassword(
  { db, runtime, hashing }: Deps,
  { user, password, address }: Typed,
): Promise<PasswordProof> {
  const waitUntil = await waitBefore(db, guesserOf(user, address), runtime.now())
  if (waitUntil !== undefined) return { waitUntil }
  const account = await db.selectFrom('localAccount').select('password').where('userId', '=', user).executeTakeFirst()
  const against = account?.password ?? undefined
  const right = await hashing.run(() => isPassword(password, against))
  return { right, ...(against !== undefined && { against }) }
}

type Chosen = { readonly secret: string; readonly password: string }

/** Only for whoever has an invitation. `problem` absent: they have none. */
export async function hashChosen(
  { db, runtime, hashing }: Deps,
  { secret, password }: Chosen,
): Promise<{ readonly hashed: string } | { readonly problem?: string }> {
  const user = await invitedUser(db, secret, runtime.now())
  if (user === undefined) return {}
  const problem = await passwordProblem(password, user)
  if (problem !== undefined) return { problem }
  return { hashed: await hashing.run(() => hashPassword(password)) }
}
