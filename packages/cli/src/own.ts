/** Whose things a list shows. */

import type { Client } from '@tidegate/api'

export const allOption = { about: 'Everyone’s that you may see, not only your own.' } as const

/** The caller's own principal, to list by; `undefined` for everyone's. */
export const ownerFilter = async (client: Client, all: boolean): Promise<string | undefined> =>
  all ? undefined : (await client.whoami({})).principal
