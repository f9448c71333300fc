/** Who is at work on a grant, and grants that somebody stays at work on. */

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

export async function isEnded(fleet: Fleet, grant: string): Promise<boolean> {
  const [row] = await fleet.inStore('select state from tidegate.access_grant where id = $1', [grant])
  return row?.['state'] === 'ended'
}

/** A grant that its holder has ended, and that nobody can close for as long as its target is paused, which it is. */
export async function endedAndHanging(fleet: Fleet): Promise<string> {
  const grant = await readyGrant(fleet)
  await fleet.clientOf('alice').activateGrant({ id: grant })
  await fleet.target.cluster.pause()
  await fleet.clientOf('alice').endGrant({ id: grant })
  return grant
}

/** A grant that its holder is opening, which nobody can for as long as its target is paused, which it is. */
export async function openingAndHanging(fleet: Fleet): Promise<{ grant: string; activation: Promise<unknown> }> {
  const grant = await readyGrant(fleet)
  await fleet.target.cluster.pause()
  const activation = fleet.clientOf('alice').activateGrant({ id: grant })
  // Waited for by whoever asked, when that server is dead.
  activation.catch(() => undefined)
  return { grant, activation }
}

async function readyGrant(fleet: Fleet): Promise<string> {
  const wish = { role: 'orders-db/readonly', duration: '1h', reason: 'Held' }
  const { grant } = await fleet.clientOf('alice').createRequest(wish)
  if (grant === undefined) throw new Error('Policy gives this at once.')
  return grant
}
