import { ApiError } from '@tidegate/api'
import type { AccessRequest, Decision, Verdict } from '@tidegate/core'
import { eligibility, openSpecs, parseDuration, parseInstant, principalKey, requestCommands } from '@tidegate/core'
import type { Instant, Millis } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from '../identity/identity.ts'
import type { Principals } from '../identity/principals.ts'
import { answerRequest, cancelRequest } from '../lifecycle/answer-request.ts'
import { askOnly, fileRequest } from '../lifecycle/file-request.ts'
import { openAccess } from '../lifecycle/open-access.ts'
import type { Unit } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import { approvalsOfRequests, findDecisions, findRequest, requestFromRow } from '../store/requests.ts'
import { isSelf, ownsResource } from './access-rules.ts'
import type { Call, HandlersOf, Services } from './handler.ts'
import { pageOf } from './pages.ts'
import { credentialView, decisionView, grantView, requestView } from './views.ts'

/** How many pending requests are looked through for those that the caller can answer. */
const pendingLookedAt = 2_000

export const requestHandlers: HandlersOf<
  | 'ask'
  | 'createRequest'
  | 'openAccess'
  | 'listRequests'
  | 'getRequest'
  | 'approveRequest'
  | 'denyRequest'
  | 'cancelRequest'
> = {
  ask: {
    kind: 'plain',
    run: async ({ services, caller, input: { action, ...input } }) => {
      const wish = { ...wishOf(input), ...(action === 'break-glass' && { action }) }
      return decisionView(await askOnly(services, caller, wish))
    },
  },
  createRequest: {
    kind: 'change',
    async run({ services, caller, input }, unit) {
      const { reason, startAt } = input
      const start = startAt === undefined ? {} : { startAt: parseInstant(startAt) as Instant }
      const filing = { ...wishOf(input), reason, ...start }
      const { request, decision } = await fileRequest(services, unit, { caller, filing })
      return requestView({ request, decision, approvals: [] })
    },
  },
  openAccess: {
    kind: 'plain',
    async run({ services, caller, input }) {
      const filing = { ...wishOf(input), reason: input.reason }
      const { filed, activated } = await openAccess(services, { caller, filing })
      const request = requestView({ ...filed, approvals: [] })
      if (!activated) return { request }
      const { grant, credential } = activated
      return { request, grant: grantView(grant), ...(credential && { credential: credentialView(credential) }) }
    },
  },
  listRequests: { kind: 'plain', run: listRequests },
  getRequest: {
    kind: 'plain',
    async run({ services, caller, input }) {
      const request = await findRequest(services.db, input.id)
      const view = request && (await visible(services, caller, [request]))[0]
      if (!view) throw new ApiError('not-found')
      return view
    },
  },
  approveRequest: { kind: 'change', run: (call, unit) => answered(call, unit, 'approve') },
  denyRequest: { kind: 'change', run: (call, unit) => answered(call, unit, 'deny') },
  cancelRequest: {
    kind: 'change',
    run: async ({ caller, input }, unit) => viewOne(unit.tx, await cancelRequest(unit, { caller, id: input.id })),
  },
}

async function answered(
  { services, caller, input: { id, comment, version } }: Call<'approveRequest' | 'denyRequest'>,
  unit: Unit,
  verdict: Verdict,
): Promise<View> {
  const said = { ...(comment !== undefined && { comment }), ...(version !== undefined && { version }) }
  return viewOne(unit.tx, await answerRequest(services, unit, { caller, id, verdict, ...said }))
}

type WishInput = { role: string; duration: string; ticket?: string | undefined; task?: string | undefined }

const wishOf = ({ role, duration, ticket, task }: WishInput) => ({
  role,
  duration: parseDuration(duration) as Millis,
  ...(ticket !== undefined && { ticket }),
  ...(task !== undefined && { task }),
})

type View = ReturnType<typeof requestView>

async function listRequests({
  services,
  caller,
  input,
}: Call<'listRequests'>): Promise<{ items: View[]; next?: string }> {
  const { db } = services
  const { status, principal, role, resource, awaiting, limit, cursor } = input
  let query = db.selectFrom('accessRequest').selectAll()
  if (status !== undefined) query = query.where('status', '=', status)
  if (principal !== undefined) query = query.where('principal', '=', principal)
  if (resource !== undefined) query = query.where('resource', '=', resource)
  if (role !== undefined) {
    const [ofResource = '', name = ''] = role.split('/')
    query = query.where('resource', '=', ofResource).where('role', '=', name)
  }
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  if (awaiting === undefined && !caller.auditor) query = query.where('principal', '=', principalKey(caller.principal))
  if (awaiting !== undefined) query = query.where('status', '=', 'pending')
  const most = awaiting === undefined ? limit + 1 : pendingLookedAt
  const rows = (await query.orderBy('id', 'desc').limit(most).execute()).map(requestFromRow)
  const wanted = awaiting === undefined ? rows : await answerable(services, caller, rows)
  const views = await viewsOf(db, wanted.slice(0, limit + 1))
  return pageOf(views, limit, (view) => view)
}

/** Requests with their decisions and approvals, in three queries. */
async function viewsOf(reader: Reader, requests: readonly AccessRequest[]): Promise<View[]> {
  const [decisions, approvals] = await Promise.all([
    findDecisions(
      reader,
      requests.map(({ decision }) => decision),
    ),
    approvalsOfRequests(
      reader,
      requests.map(({ id }) => id),
    ),
  ])
  return requests.map((request) =>
    requestView({
      request,
      decision: decisions.get(request.decision) as Decision,
      approvals: approvals.filter((approval) => approval.request === request.id),
    }),
  )
}

async function viewOne(reader: Reader, request: AccessRequest): Promise<View> {
  const [view] = await viewsOf(reader, [request])
  return view as View
}

async function answerable(
  services: Services,
  caller: Caller,
  requests: readonly AccessRequest[],
): Promise<AccessRequest[]> {
  const snapshot = await services.configurations.current(services.db)
  const decisions = await findDecisions(
    services.db,
    requests.map(({ decision }) => decision),
  )
  const approvals = await approvalsOfRequests(
    services.db,
    requests.map(({ id }) => id),
  )
  const principals = await requestersOf(services, snapshot, requests)
  return requests.filter((request) => {
    const given = approvals.filter((one) => one.request === request.id)
    if (given.some(({ approver }) => approver === caller.principal.id)) return false
    const decision = decisions.get(request.decision)
    const open = decision?.outcome === 'approve' ? openSpecs(decision.paths, requestCommands.approvalsOf(given)) : []
    return mayAnswer({ snapshot, principals, caller, request, open })
  })
}

const requestersOf = (
  { db, runtime, findPrincipals }: Services,
  snapshot: Snapshot,
  requests: readonly AccessRequest[],
): Promise<Principals> =>
  findPrincipals(db, { snapshot, refs: requests.map(({ principal }) => principal), now: runtime.now() })

type Answering = {
  snapshot: Snapshot
  principals: Principals
  caller: Caller
  request: AccessRequest
  open: readonly string[]
}

function mayAnswer({ snapshot, principals, caller, request, open }: Answering): boolean {
  const requester = principals.get(principalKey(request.principal))
  const entry = snapshot.resources.get(request.resource)
  if (!requester || !entry) return false
  return eligibility({ requester, approver: caller.principal, resource: entry.resource, open }).eligible
}

/** The caller's own, those on resources it owns, those it could answer or has answered, and all for auditors. */
async function visible(services: Services, caller: Caller, requests: readonly AccessRequest[]): Promise<View[]> {
  const snapshot = await services.configurations.current(services.db)
  const views = await viewsOf(services.db, requests)
  const principals = await requestersOf(services, snapshot, requests)
  return views.filter((view, index) => {
    const request = requests[index]
    if (!request) return false
    if (caller.auditor || isSelf(caller.principal, request.principal)) return true
    if (ownsResource(caller, snapshot.resources.get(request.resource))) return true
    if (view.approvals.some(({ approver }) => approver === principalKey(caller.principal))) return true
    const { decision } = view
    const everyone =
      decision.outcome === 'approve'
        ? decision.paths.flatMap(({ stages }) => stages.flatMap(({ approvers }) => approvers))
        : []
    return mayAnswer({ snapshot, principals, caller, request, open: everyone })
  })
}
