/** Was anything lost that Tidegate had answered? Held against the tables and against the entries, which tell it both. */

import type { Row } from './cluster.ts'
import type { Fleet } from './fleet.ts'
import type { Ledger, Life } from './ledger.ts'

/** What the store has of a request and its grant. */
type Kept = {
  readonly row: Row | undefined
  /** `type subject` of every entry. */
  readonly told: ReadonlySet<string>
}

export async function lost(fleet: Fleet, { lives, places }: Ledger, entries: readonly Row[]): Promise<string[]> {
  const rows = await fleet.inStore(
    `select r.id, r.reason, r.status, r.grant_id as grant, g.activated_at, g.state, g.end_reason,
       array(select approver from tidegate.approval a where a.request = r.id) as approvers
     from tidegate.access_request r left join tidegate.access_grant g on g.request = r.id`,
  )
  const byId = new Map(rows.map((row) => [row['id'], row]))
  const told = new Set(entries.map((entry) => `${String(entry['type'])} ${subjectOf(entry)}`))
  const problems = lives.flatMap((life) => {
    const { request } = life
    if (!request) return []
    return lostOf(life, { row: byId.get(request.id), told }).map((what) => `${request.id}: ${what} is lost`)
  })
  return [...problems, ...movedEntries(places, entries)]
}

/** What an entry is about. */
export const subjectOf = ({ type, request, grant }: Row): string =>
  String(String(type).startsWith('grant.') ? grant : request)

function lostOf(life: Life, { row, told }: Kept): string[] {
  const { request, approved, opened, end } = life
  const id = String(request?.id)
  const grant = String(row?.['grant'])
  const given = [request?.grant, approved?.request.grant].filter((one) => one !== undefined)
  const facts: readonly [what: string, kept: boolean][] = [
    ['the request', row?.['reason'] === life.reason],
    ['the entry of the request', told.has(`request.filed ${id}`)],
  ]
  const ofApproval: typeof facts = approved
    ? [
        [
          `the approval of ${approved.by}`,
          (row?.['approvers'] as string[] | undefined)?.includes(approved.by) === true,
        ],
        ['the entry of the approval', told.has(`request.answered ${id}`)],
      ]
    : []
  const ofGrant: typeof facts = given.flatMap((one) => [
    [`the grant ${one}`, row?.['grant'] === one],
    [`the entry of the grant ${one}`, told.has(`grant.created ${one}`)],
  ])
  const ofOpening: typeof facts = opened
    ? [
        [`the opening of ${grant}`, row?.['activated_at'] !== null],
        [`the entry of opening ${grant}`, told.has(`grant.opened ${grant}`)],
      ]
    : []
  const ofEnd: typeof facts = end
    ? [
        [`the end of ${grant} as ${end.reason}`, row?.['state'] === 'ended'],
        [`the reason ${end.reason} of ${grant}`, end.reason === 'expired' || row?.['end_reason'] === end.reason],
        [`the entry of ending ${grant}`, told.has(`grant.ending ${grant}`) && told.has(`grant.ended ${grant}`)],
      ]
    : []
  return [...facts, ...ofApproval, ...ofGrant, ...ofOpening, ...ofEnd].flatMap(([what, kept]) => (kept ? [] : [what]))
}

/** An entry that was listed stays, and one that was listed with its place stays there. */
function movedEntries(places: Ledger['places'], entries: readonly Row[]): string[] {
  const indices = new Map(entries.map(({ id, index }) => [id, Number(index)]))
  return [...places].flatMap(([id, place]) => {
    const index = indices.get(id)
    if (index === undefined) return [`the entry ${id} was listed, and is lost`]
    return place === undefined || place === index ? [] : [`the entry ${id} was at ${place}, and is at ${index}`]
  })
}
