/** Who is at work on a grant. */

import type { Fleet, Member } from './fleet.ts'

/** Which server is at work on this grant: it holds the grant's lock in the store. */
export async function holderOf(fleet: Fleet, grant: string): Promise<Member | undefined> {
  const [row] = await fleet.inStore(
    `select application_name as name from pg_locks join pg_stat_activity using (pid)
     where locktype = 'advisory' and granted and (classid::bigint, objid::bigint) = (7243002, hashtext($1)::bigint & 4294967295)`,
    [grant],
  )
  return fleet.members.find(({ name }) => name === row?.['name'])
}

/** A grant that its holder has ended, and that nobody can close for as long as its target is paused, which it is. */
export async function endedAndHanging(fleet: Fleet): Promise<string> {
  const alice = fleet.clientOf('alice')
  const { grant } = await alice.createRequest({ role: 'orders-db/readonly', duration: '1h', reason: 'Held' })
  if (grant === undefined) throw new Error('Policy gives this at once.')
  await alice.activateGrant({ id: grant })
  await fleet.target.cluster.pause()
  await fleet.clientOf('alice').endGrant({ id: grant })
  return grant
}
