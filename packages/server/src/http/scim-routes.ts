/**
 * Where sources push people and groups: SCIM 2.0 under `/scim/v2`. Not operations of the API: its paths, bodies and errors
 * are RFC 7644's, and its callers are sources, which may do nothing else.
 */

import { toProblem } from '@tidegate/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { resourceTypes, schemas, serviceProviderConfig } from '../identity/scim/discovery.ts'
import { ScimError, notFound, refusal, toScim } from '../identity/scim/errors.ts'
import type { GroupRow } from '../identity/scim/groups.ts'
import { createGroup, deleteGroup, patchGroup, replaceGroup } from '../identity/scim/groups.ts'
import { findGroup, findUser, fittingGroups, listGroups, listUsers, readWish } from '../identity/scim/list.ts'
import { membersOf } from '../identity/scim/members.ts'
import { locationOf, readSelection, showGroup, showUser, shows } from '../identity/scim/resource.ts'
import type { Row } from '../identity/scim/row.ts'
import { etagOf, isMatched } from '../identity/scim/row.ts'
import type { ResourceType } from '../identity/scim/schema.ts'
import { groupType, userType } from '../identity/scim/schema.ts'
import type { Source } from '../identity/scim/source.ts'
import { sourceOf } from '../identity/scim/source.ts'
import type { UserRow, Written } from '../identity/scim/users.ts'
import { createUser, deleteUser, patchUser, replaceUser } from '../identity/scim/users.ts'
import { reassessPeople } from '../identity/directory/reassess-people.ts'
import type { Lifecycle } from '../lifecycle/context.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import { toApiError } from './faults.ts'
import { strangerLimits } from './limits.ts'
import { countStranger } from './operations-routes.ts'
import { createThrottle } from './throttle.ts'

export type ScimDeps = Lifecycle & {
  /** Where this server is reached, such as `https://tidegate.example.com`. */
  readonly publicUrl: () => string
}

const prefix = '/scim/v2'

type Route = {
  readonly deps: ScimDeps
  readonly source: Source
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

type Serve = (route: Route) => Promise<FastifyReply>

/** What differs between people and groups. */
type Kind<R extends Row> = {
  readonly type: ResourceType
  readonly list: (route: Route) => Promise<{ total: number; startIndex: number; rows: readonly R[] }>
  readonly find: (route: Route, id: string) => Promise<R>
  readonly show: (route: Route, rows: readonly R[]) => Promise<object[]>
  readonly create: (unit: Unit, source: Source, body: unknown) => Promise<Written<R>>
  readonly replace: Changing<R>
  readonly patch: Changing<R>
  readonly remove: (unit: Unit, source: Source, which: Which) => Promise<Written<R>>
}

type Which = { readonly id: string; readonly ifMatch?: string | undefined }
type Changing<R> = (unit: Unit, source: Source, asked: Which & { readonly body: unknown }) => Promise<Written<R>>

export function registerScim(app: FastifyInstance, deps: ScimDeps): void {
  const strangers = createThrottle({ limits: strangerLimits })
  void app.register(
    (scope, _options, done) => {
      const sources = new WeakMap<FastifyRequest, Source>()
      scope.addContentTypeParser(
        'application/scim+json',
        { parseAs: 'string' },
        scope.getDefaultJsonParser('error', 'error'),
      )
      scope.setErrorHandler((error, request, reply) => answerError(error, request, reply))
      scope.setNotFoundHandler(() => {
        throw new ScimError({ status: 404, detail: 'There is no such path.' })
      })
      // Before the body is read: whoever may not call is not listened to.
      scope.addHook('onRequest', async (request, reply) => {
        const { authorization } = request.headers
        const snapshot = await deps.configurations.current(deps.db)
        const source = sourceOf(snapshot, { authorization, now: deps.runtime.now() })
        if (source) return void sources.set(request, source)
        countStranger(strangers, request)
        void reply.header('www-authenticate', 'Bearer realm="tidegate"')
        throw new ScimError({ status: 401, detail: 'The caller is not known. Its token may have expired.' })
      })
      const serve = (work: Serve) => async (request: FastifyRequest, reply: FastifyReply) => {
        const source = sources.get(request)
        if (!source) throw new Error('A source is served that was not admitted.')
        return work({ deps, source, request, reply })
      }
      registerDiscovery(scope, serve)
      registerKind(scope, users, serve)
      registerKind(scope, groups, serve)
      done()
    },
    { prefix },
  )
}

type Serving = (work: Serve) => (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

function registerDiscovery(scope: FastifyInstance, serve: Serving): void {
  const told = (path: string, tell: (baseUrl: string) => object): void =>
    void scope.get(
      path,
      serve(async (route) => send(route.reply, tell(baseUrlOf(route)))),
    )
  told('/ServiceProviderConfig', serviceProviderConfig)
  told('/ResourceTypes', (baseUrl) => listOf(resourceTypes(baseUrl)))
  told('/Schemas', (baseUrl) => listOf(schemas(baseUrl)))
  const oneOf = (path: string, all: (baseUrl: string) => readonly object[]): void =>
    void scope.get(
      path,
      serve(async (route) => {
        const id = idOf(route).toLowerCase()
        const one = all(baseUrlOf(route)).find((each) => 'id' in each && String(each.id).toLowerCase() === id)
        if (!one) throw notFound()
        return send(route.reply, one)
      }),
    )
  oneOf('/ResourceTypes/:id', resourceTypes)
  oneOf('/Schemas/:id', schemas)
  for (const path of ['/Me', '/Bulk'])
    scope.all(
      path,
      serve(async () => {
        throw new ScimError({ status: 501, detail: 'This server has none.' })
      }),
    )
}

function registerKind<R extends Row>(scope: FastifyInstance, kind: Kind<R>, serve: Serving): void {
  const all = kind.type.endpoint
  const one = `${all}/:id`
  scope.get(
    all,
    serve((route) => sendPage(kind, route)),
  )
  scope.post(
    all,
    serve((route) => create(kind, route)),
  )
  scope.get(
    one,
    serve((route) => sendOne(kind, route)),
  )
  scope.put(
    one,
    serve((route) => changeOne(kind, route, kind.replace)),
  )
  scope.patch(
    one,
    serve((route) => changeOne(kind, route, kind.patch)),
  )
  scope.delete(
    one,
    serve((route) => remove(kind, route)),
  )
}

const baseUrlOf = ({ deps }: Route): string => `${deps.publicUrl()}${prefix}`
const idOf = ({ request }: Route): string => (request.params as { readonly id: string }).id
const queryOf = ({ request }: Route): Record<string, unknown> => request.query as Record<string, unknown>

const send = (reply: FastifyReply, body: object): FastifyReply =>
  reply.type('application/scim+json; charset=utf-8').send(JSON.stringify(body))

type Listed = { readonly total: number; readonly startIndex: number }

const listOf = (
  resources: readonly object[],
  { total, startIndex }: Listed = { total: resources.length, startIndex: 1 },
): object => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
  totalResults: total,
  startIndex,
  itemsPerPage: resources.length,
  Resources: resources,
})

async function sendPage<R extends Row>(kind: Kind<R>, route: Route): Promise<FastifyReply> {
  const { rows, ...listed } = await kind.list(route)
  return send(route.reply, listOf(await kind.show(route, rows), listed))
}

async function sendOne<R extends Row>(kind: Kind<R>, route: Route): Promise<FastifyReply> {
  const row = await kind.find(route, idOf(route))
  const known = route.request.headers['if-none-match']
  if (known !== undefined && isMatched(row, known)) return route.reply.code(304).header('etag', etagOf(row)).send()
  return sendRow(kind, route, row)
}

async function sendRow<R extends Row>(kind: Kind<R>, route: Route, row: R): Promise<FastifyReply> {
  const [shown] = await kind.show(route, [row])
  return send(route.reply.header('etag', etagOf(row)), shown ?? {})
}

/** Committed, and then the one question again for whatever rests on what was changed. */
async function carryOut<R>({ deps }: Route, work: (unit: Unit) => Promise<Written<R>>): Promise<R> {
  const { row, concerned } = await change(deps, work)
  await reassessPeople(deps, [...new Set(concerned)])
  return row
}

async function create<R extends Row>(kind: Kind<R>, route: Route): Promise<FastifyReply> {
  const { source, request, reply } = route
  const row = await carryOut(route, (unit) => kind.create(unit, source, request.body))
  void reply.code(201).header('location', locationOf(kind.type, row, baseUrlOf(route)))
  return sendRow(kind, route, row)
}

async function changeOne<R extends Row>(kind: Kind<R>, route: Route, by: Changing<R>): Promise<FastifyReply> {
  const { source, request, reply } = route
  const row = await carryOut(route, (unit) => by(unit, source, { ...whichOf(route), body: request.body }))
  // Whoever changes one member of a large group is not sent all of them.
  const quietly = request.method === 'PATCH' && kind.type === groupType && queryOf(route)['attributes'] === undefined
  return quietly ? reply.code(204).header('etag', etagOf(row)).send() : sendRow(kind, route, row)
}

async function remove<R extends Row>(kind: Kind<R>, route: Route): Promise<FastifyReply> {
  await carryOut(route, (unit) => kind.remove(unit, route.source, whichOf(route)))
  return route.reply.code(204).send()
}

const whichOf = (route: Route): Which => ({ id: idOf(route), ifMatch: route.request.headers['if-match'] })

const users: Kind<UserRow> = {
  type: userType,
  list: (route) => listUsers(route.deps.db, route.source, readWish(queryOf(route))),
  find: (route, id) => findUser(route.deps.db, route.source, id),
  async show(route, rows) {
    const showing = { selection: readSelection(userType, queryOf(route)), baseUrl: baseUrlOf(route) }
    return rows.map((row) => showUser(row, showing))
  },
  create: createUser,
  replace: replaceUser,
  patch: patchUser,
  remove: deleteUser,
}

const groups: Kind<GroupRow> = {
  type: groupType,
  async list(route) {
    const page = await listGroups(route.deps.db, route.source, readWish(queryOf(route)))
    const withMembers = shows(readSelection(groupType, queryOf(route)), 'members')
    return withMembers ? { ...page, rows: await fittingGroups(route.deps.db, page.rows) } : page
  },
  find: (route, id) => findGroup(route.deps.db, route.source, id),
  async show(route, rows) {
    const showing = { selection: readSelection(groupType, queryOf(route)), baseUrl: baseUrlOf(route) }
    const wanted = shows(showing.selection, 'members') ? rows.map(({ groupId }) => groupId) : []
    const members = wanted.length > 0 ? await membersOf(route.deps.db, route.source, wanted) : undefined
    return rows.map((row) => showGroup(row, members?.get(row.groupId) ?? [], showing))
  },
  create: createGroup,
  replace: replaceGroup,
  patch: patchGroup,
  remove: deleteGroup,
}

/** PostgreSQL's word for two of what there is one of: someone else was a moment earlier. */
const uniqueViolation = '23505'

function scimErrorOf(error: unknown): ScimError | undefined {
  if (error instanceof ScimError) return error
  if ((error as { code?: unknown } | undefined)?.code === uniqueViolation)
    return refusal('uniqueness', 'Another request took it at the same moment.')
  const known = toApiError(error)
  if (!known) return undefined
  const { status, title, detail = title } = toProblem(known)
  return new ScimError({ status, detail })
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = scimErrorOf(error)
  if (!known || known.status >= 500)
    request.log.error({ err: error, reqId: request.id }, 'a source could not be served')
  const told = known ?? new ScimError({ status: 500, detail: `Look for ${request.id} in the server log.` })
  return send(reply.code(told.status), toScim(told))
}
