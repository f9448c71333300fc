import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import { parsePrincipalKey, principalKey } from '@tidegate/core'
import type { GrantId, Instant } from '@tidegate/core'
import { actAs } from '../administration/standing.ts'
import { askToForget } from '../gateways/forgetting.ts'
import { gatewaysOf } from '../gateways/gateways.ts'
import type { Head } from '../gateways/reports.ts'
import type { ViewRow } from '../gateways/views.ts'
import { pieceHint } from '../gateways/view-waiting.ts'
import { closeView, openView, piecesAfter, readPieces, takePiece, viewsSince } from '../gateways/views.ts'
import { isConnected } from '../gateways/way-in.ts'
import type { Caller } from '../identity/identity.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import type { SessionRow } from '../store/sessions.ts'
import { selectSessions } from '../store/sessions.ts'
import { isSelf, ownsResource } from './access-rules.ts'
import type { Call, HandlersOf, Services } from './handler.ts'
import { sessionView } from './sessions.ts'

export const recordingHandlers: HandlersOf<
  'viewRecording' | 'readRecording' | 'closeView' | 'sendRecording' | 'forgetRecording'
> = {
  viewRecording: { kind: 'change', run: viewRecording },
  readRecording: { kind: 'plain', run: readRecording },
  closeView: {
    kind: 'change',
    async run({ caller, input: { id } }, unit) {
      await closeView(unit, { id, viewer: principalKey(caller.principal) })
      return {}
    },
  },
  sendRecording: { kind: 'plain', run: sendRecording },
  forgetRecording: { kind: 'change', run: forgetRecording },
}

/** @throws {ApiError} `not-found` for what the caller may not see, `forbidden` for what it sees and may not watch */
async function watchable({ configurations }: Services, reader: Reader, { caller, id }: { caller: Caller; id: string }) {
  const row = await selectSessions(reader).where('accessSession.id', '=', id).executeTakeFirst()
  const holder = row && parsePrincipalKey(row.principal)
  if (!row || !holder) throw new ApiError('not-found')
  if (caller.auditor) return row
  const snapshot = await configurations.current(reader)
  if (ownsResource(caller, snapshot.resources.get(row.resource))) return row
  if (!isSelf(caller.principal, holder)) throw new ApiError('not-found')
  throw new ApiError('forbidden', { detail: 'Auditors and owners of the resource see a recording.' })
}

/** What says that it was asked for is committed before there is anything to see. */
async function viewRecording(
  { services, caller, input: { id, reason, follow } }: Call<'viewRecording'>,
  unit: Unit,
): Promise<Output<'viewRecording'>> {
  gatewaysOf(services)
  const row = await watchable(services, unit.tx, { caller, id })
  const { gateway, principal } = row
  await checkConnected(unit.tx, gateway, unit.now)
  const by = principalKey(caller.principal)
  const view = await openView(unit, { session: id, gateway, viewer: by, follow })
  const fields = { session: id, gateway, view, follow, principal, by, reason }
  unit.record({ type: 'recording.viewed', at: unit.now, grant: row.grantId as GrantId, fields })
  return { view, session: sessionView(row), ...(row.head !== null && { head: row.head as Head }) }
}

/** @throws {ApiError} `recording-away` */
async function checkConnected(reader: Reader, gateway: string, now: Instant): Promise<void> {
  const row = await reader
    .selectFrom('gateway')
    .select(['enrolledAt', 'signedOffAt', 'lastSeenAt'])
    .where('id', '=', gateway)
    .executeTakeFirst()
  if (!row || !isConnected(row, now))
    throw new ApiError('recording-away', { detail: `The gateway ${gateway} is not connected.` })
}

/** Whoever may not see it any more sees no more of it. */
async function readRecording({ services, caller, input }: Call<'readRecording'>): Promise<Output<'readRecording'>> {
  const { id, after, waitMs } = input
  const { key, views } = gatewaysOf(services)
  const until = performance.now() + waitMs
  let pieces = await change(services, async (unit) => {
    await ownView(services, unit, { caller, id })
    return readPieces(unit, key, { id, after })
  })
  while (pieces.length === 0 && performance.now() < until && !views.isStopped()) {
    await views.wait(id, until - performance.now())
    pieces = await piecesAfter(services.db, key, { id, after })
  }
  if (pieces.length === 0) await checkStillThere(services, id)
  return { pieces }
}

/** A gateway that is gone sends nothing, and nobody is to wait for it. */
async function checkStillThere({ db, runtime }: Services, id: string): Promise<void> {
  const view = await db.selectFrom('recordingView').select('gateway').where('id', '=', id).executeTakeFirst()
  if (view) await checkConnected(db, view.gateway, runtime.now())
}

async function ownView(
  services: Services,
  { tx, now }: Unit,
  { caller, id }: { caller: Caller; id: string },
): Promise<ViewRow> {
  const view = await tx
    .selectFrom('recordingView')
    .selectAll()
    .where('id', '=', id)
    .where('viewer', '=', principalKey(caller.principal))
    .where('askedAt', '>', boundInstant(viewsSince(now)))
    .forUpdate()
    .executeTakeFirst()
  if (!view) throw new ApiError('not-found', { detail: 'Nobody looks at that, or not any more.' })
  await watchable(services, tx, { caller, id: view.session })
  return view
}

async function sendRecording({ services, caller, input }: Call<'sendRecording'>): Promise<Output<'sendRecording'>> {
  const { key, views } = gatewaysOf(services)
  const { waitMs, ...sent } = input
  const until = performance.now() + waitMs
  const sealing = { key, random: services.runtime.random }
  for (;;) {
    const outcome = await change(services, async (unit) => {
      const taken = await takePiece(unit, sealing, { ...sent, gateway: caller.gateway.id })
      if (taken.told) unit.hint({ to: 'gateways', about: pieceHint(input.id) })
      return taken.outcome
    })
    const left = until - performance.now()
    if (outcome !== 'full' || left <= 0 || views.isStopped()) return { outcome }
    await views.wait(input.id, left)
  }
}

async function forgetRecording(
  { services, caller, input: { id, reason } }: Call<'forgetRecording'>,
  unit: Unit,
): Promise<Output<'forgetRecording'>> {
  const row = await watchable(services, unit.tx, { caller, id })
  if (!caller.administrator) throw new ApiError('forbidden', { detail: 'Administrators have a recording deleted.' })
  await actAs(unit, 'administrator', { caller, operation: 'forgetRecording' })
  if (row.endedAt === null) throw new ApiError('session-open')
  await askToForget(unit, row, { by: principalKey(caller.principal), reason })
  return sessionView(await sessionRow(unit, id))
}

const sessionRow = ({ tx }: Unit, id: string): Promise<SessionRow> =>
  selectSessions(tx).where('accessSession.id', '=', id).executeTakeFirstOrThrow()
