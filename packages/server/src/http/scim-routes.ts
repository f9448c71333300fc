/**
 * Where sources push people and groups: SCIM 2.0 under `/scim/v2`. Not operations of the API: its paths, bodies and errors
 * are RFC 7644's, and its callers are sources, which may do nothing else.
 */

import { toProblem } from '@tidegate/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { resourceTypes, schemas, serviceProviderConfig } from '../identity/scim/discovery.ts'
import { ScimError, notFound, refusal, toScim } from '../identity/scim/errors.ts'
import type { GroupChange, GroupRow } from '../identity/scim/groups.ts'
import {
  changeGroup,
  createGroup,
  deleteGroup,
  findGroup,
  groupAsItIs,
  patchingGroup,
  replacingGroup,
} from '../identity/scim/groups.ts'
import { findUser, fittingGroups, listGroups, listUsers, readWish } from '../identity/scim/list.ts'
import { membersOf } from '../identity/scim/members.ts'
import { locationOf, readSelection, showGroup, showUser, shows } from '../identity/scim/resource.ts'
import type { Row, Which } from '../identity/scim/row.ts'
import { etagOf, isMatched } from '../identity/scim/row.ts'
import type { ResourceType } from '../identity/scim/schema.ts'
import { groupType, userType } from '../identity/scim/schema.ts'
import type { Source } from '../identity/scim/source.ts'
import { sourceOf } from '../identity/scim/source.ts'
import type { UserChange, UserRow, Written } from '../identity/scim/users.ts'
import { changeUser, createUser, deleteUser, patchingUser, replacingUser, userAsItIs } from '../identity/scim/users.ts'
import { reassessPeople } from '../identity/directory/reassess-people.ts'
import type { Lifecycle } from '../lifecycle/context.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
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

/** What differs between people and groups: their rows, and what can be asked to be changed of them. */
type Kind<R extends Row, W> = {
  readonly type: ResourceType
  readonly list: (route: Route) => Promise<{ total: number; startIndex: number; rows: readonly R[] }>
  readonly find: (route: Route, id: string) => Promise<R>
  readonly show: (route: Route, rows: readonly R[]) => Promise<object[]>
  readonly create: (unit: Unit, source: Source, body: unknown) => Promise<Written<R>>
  readonly replacing: (body: unknown) => W
  readonly patching: (body: unknown) => W
  /** The row, where nothing is to be done. */
  readonly asItIs: (reader: Reader, source: Source, asked: Asked<W>) => Promise<R | undefined>
  readonly change: (unit: Unit, source: Source, asked: Asked<W>) => Promise<Written<R>>
  readonly remove: (unit: Unit, source: Source, which: Which) => Promise<Written<R>>
}

type Asked<W> = Which & { readonly wanted: W }

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

function registerKind<R extends Row, W>(scope: FastifyInstance, kind: Kind<R, W>, serve: Serving): void {
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
    serve((route) => changeOne(kind, route, kind.replacing)),
  )
  scope.patch(
    one,
    serve((route) => changeOne(kind, route, kind.patching)),
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

async function sendPage<R extends Row, W>(kind: Kind<R, W>, route: Route): Promise<FastifyReply> {
  const { rows, ...listed } = await kind.list(route)
  return send(route.reply, listOf(await kind.show(route, rows), listed))
}

async function sendOne<R extends Row, W>(kind: Kind<R, W>, route: Route): Promise<FastifyReply> {
  const row = await kind.find(route, idOf(route))
  const known = route.request.headers['if-none-match']
  if (known !== undefined && isMatched(row, known)) return route.reply.code(304).header('etag', etagOf(row)).send()
  return sendRow(kind, route, row)
}

async function sendRow<R extends Row, W>(kind: Kind<R, W>, route: Route, row: R): Promise<FastifyReply> {
  const [shown] = await kind.show(route, [row])
  return send(route.reply.header('etag', etagOf(row)), shown ?? {})
}

/** Committed, and then the one question again for whatever rests on what was changed. */
async function carryOut<R>({ deps }: Route, work: (unit: Unit) => Promise<Written<R>>): Promise<R> {
  const { row, concerned } = await inTurn(() => change(deps, work))
  await reassessPeople(deps, [...new Set(concerned)])
  return row
}

/** PostgreSQL's word for one of two that wait for each other: it is rolled back, and the other goes on. */
const deadlock = '40P01'
const turns = 5

/** Sources send several requests about the same at once, in no order. Whoever was rolled back for another begins again. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  for (let turn = 1; ; turn++) {
    try {
      return await work()
    } catch (error) {
      if (codeOf(error) !== deadlock || turn === turns) throw error
    }
  }
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code

async function create<R extends Row, W>(kind: Kind<R, W>, route: Route): Promise<FastifyReply> {
  const { source, request, reply } = route
  const row = await carryOut(route, (unit) => kind.create(unit, source, request.body))
  void reply.code(201).header('location', locationOf(kind.type, row, baseUrlOf(route)))
  return sendRow(kind, route, row)
}

async function changeOne<R extends Row, W>(
  kind: Kind<R, W>,
  route: Route,
  read: (body: unknown) => W,
): Promise<FastifyReply> {
  const { source, request, reply, deps } = route
  const asked = { ...whichOf(route), wanted: read(request.body) }
  // A full sync says everything again; a patch is sent for what has changed.
  const known = request.method === 'PUT' ? await kind.asItIs(deps.db, source, asked) : undefined
  const row = known ?? (await carryOut(route, (unit) => kind.change(unit, source, asked)))
  // Whoever changes one member of a large group is not sent all of them.
  const quietly = request.method === 'PATCH' && kind.type === groupType && queryOf(route)['attributes'] === undefined
  return quietly ? reply.code(204).header('etag', etagOf(row)).send() : sendRow(kind, route, row)
}

async function remove<R extends Row, W>(kind: Kind<R, W>, route: Route): Promise<FastifyReply> {
  await carryOut(route, (unit) => kind.remove(unit, route.source, whichOf(route)))
  return route.reply.code(204).send()
}

const whichOf = (route: Route): Which => ({ id: idOf(route), ifMatch: route.request.headers['if-match'] })

const users: Kind<UserRow, UserChange> = {
  type: userType,
  list: (route) => listUsers(route.deps.db, route.source, readWish(queryOf(route))),
  find: (route, id) => findUser(route.deps.db, route.source, id),
  async show(route, rows) {
    const showing = { selection: readSelection(userType, queryOf(route)), baseUrl: baseUrlOf(route) }
    return rows.map((row) => showUser(row, showing))
  },
  create: createUser,
  replacing: replacingUser,
  patching: patchingUser,
  asItIs: userAsItIs,
  change: changeUser,
  remove: deleteUser,
}

const groups: Kind<GroupRow, GroupChange> = {
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
  replacing: replacingGroup,
  patching: patchingGroup,
  asItIs: groupAsItIs,
  change: changeGroup,
  remove: deleteGroup,
}

/** PostgreSQL's word for two of what there is one of: someone else was a moment earlier. */
const uniqueViolation = '23505'

function scimErrorOf(error: unknown): ScimError | undefined {
  if (error instanceof ScimError) return error
  if (codeOf(error) === uniqueViolation) return refusal('uniqueness', 'Another request took it at the same moment.')
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
