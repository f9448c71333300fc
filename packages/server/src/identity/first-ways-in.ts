/**
 * The ways in of the first administrator: a token, and a link to an account. They are made by a server that listens, once
 * for a store: what could still keep it from showing them comes before.
 */

import { after, days, principalKey } from '@tidegate/core'
import type { Runtime } from '../runtime.ts'
import { newId } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Database } from '../store/database.ts'
import { instantParam } from '../store/database.ts'
import { forgetPrinted, invite } from './local/invitations.ts'
import { localLimits } from './local/limits.ts'
import { firstAdministrator } from './principals.ts'
import { hashToken, makeToken } from './tokens.ts'

const firstTokenLasts = days(90)

export type FirstWaysIn = { readonly token: string; readonly invitation: string }

type Deps = { readonly db: Database; readonly runtime: Runtime }

/**
 * Whether nobody has been given them. What an earlier start printed and lies around in a terminal is good no longer.
 * Servers that start together on a new store are one start: one of them prints the link, and the others leave it alone.
 */
export const areToBeGiven = (deps: Deps): Promise<boolean> =>
  change(deps, async (unit) => {
    await forgetPrinted(unit)
    const row = await unit.tx
      .selectFrom('installation')
      .select('onlyOne')
      .where('waysInGivenAt', 'is', null)
      .executeTakeFirst()
    return row !== undefined
  })

/** To one of those that ask at once. */
export const takeFirstWaysIn = (deps: Deps): Promise<FirstWaysIn | undefined> =>
  change(deps, async (unit) => {
    const { numUpdatedRows } = await unit.tx
      .updateTable('installation')
      .set({ waysInGivenAt: instantParam(unit.now) })
      .where('waysInGivenAt', 'is', null)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) return undefined
    const token = await makeFirstToken(unit)
    const { secret } = await invite(unit, { user: firstAdministrator.id, lasts: localLimits.firstInvitation })
    return { token, invitation: secret }
  })

async function makeFirstToken({ tx, now, runtime }: Unit): Promise<string> {
  const token = makeToken(runtime.random)
  await tx
    .insertInto('apiToken')
    .values({
      id: newId(runtime, 'token'),
      principal: principalKey(firstAdministrator),
      hash: hashToken(token),
      createdAt: instantParam(now),
      expiresAt: instantParam(after(now, firstTokenLasts)),
      revokedAt: null,
    })
    .execute()
  return token
}
