import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import { administrationResource, chainOf, formatInstant, principalKey, roleKey } from '@tidegate/core'
import type { StandingPrivilege } from '@tidegate/connectors'
import { isTargetFault } from '@tidegate/connectors'
import type { HeldRole } from '../administration/held.ts'
import { change } from '../store/change.ts'
import { ownsResource, resourceOf } from './access-rules.ts'
import type { Call, HandlersOf } from './handler.ts'
import { authenticationView } from './logins.ts'
import { pageOf } from './pages.ts'
import { resourceView } from './views.ts'

export const resourceHandlers: HandlersOf<'whoami' | 'listResources' | 'getResource' | 'surveyResource'> = {
  whoami: {
    kind: 'plain',
    run: async ({ caller }) => ({
      principal: principalKey(caller.principal),
      groups: [...caller.principal.groups],
      administrator: caller.administrator,
      policyAuthor: caller.policyAuthor,
      auditor: caller.auditor,
      administration: caller.administration.map(heldView),
      tokenExpiresAt: formatInstant(caller.expiresAt),
      ...(caller.principal.kind === 'agent' && { actsFor: chainOf(caller.principal).slice(1).map(principalKey) }),
      authentication: authenticationView(caller.authentication),
      ...(caller.login !== undefined && { login: caller.login }),
    }),
  },
  listResources: {
    kind: 'plain',
    async run({ services, input: { kind, label, limit, cursor } }) {
      const snapshot = await services.configurations.current(services.db)
      const [name, value] = label?.split('=') ?? []
      const rows = [...snapshot.resources.values()]
        .filter(({ resource }) => kind === undefined || resource.kind === kind)
        .filter(
          ({ resource }) =>
            name === undefined ||
            (Object.hasOwn(resource.labels, name) && (value === undefined || resource.labels[name] === value)),
        )
        .map((entry) => ({ id: entry.resource.id, entry }))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .filter(({ id }) => cursor === undefined || id > cursor)
      return pageOf(rows, limit, ({ entry }) => resourceView(entry))
    },
  },
  getResource: {
    kind: 'plain',
    async run({ services, input }) {
      return resourceView(resourceOf(await services.configurations.current(services.db), input.id))
    },
  },
  surveyResource: { kind: 'plain', run: survey },
}

const heldView = (held: HeldRole): Output<'whoami'>['administration'][number] => ({
  role: roleKey({ resource: administrationResource, name: held.role }),
  by: held.by,
  ...(held.by === 'grant' && { grant: held.grant, until: formatInstant(held.until) }),
})

async function survey({ services, caller, input }: Call<'surveyResource'>) {
  const entry = resourceOf(await services.configurations.current(services.db), input.id)
  if (!caller.auditor && !ownsResource(caller, entry)) {
    throw new ApiError('forbidden', { detail: 'Administrators, auditors and owners of the resource survey it.' })
  }
  const items = await readStanding(() => services.targets.connector(entry).survey(), input.id)
  const at = services.runtime.now()
  await change(services, async (unit) => {
    const fields = { resource: input.id, items: items.length, by: principalKey(caller.principal) }
    unit.record({ type: 'survey.taken', at, fields })
  })
  return {
    resource: input.id,
    at: formatInstant(at),
    items: items.map(({ lastSeenAt, ...rest }) => ({
      ...rest,
      ...(lastSeenAt !== undefined && { lastSeenAt: formatInstant(lastSeenAt) }),
    })),
  }
}

async function readStanding(read: () => Promise<StandingPrivilege[]>, id: string): Promise<StandingPrivilege[]> {
  try {
    return await read()
  } catch (cause) {
    const why = isTargetFault(cause) ? `: ${cause.failure.message}` : ''
    throw new ApiError('target-unavailable', { detail: `${id} could not be read${why}`, cause })
  }
}
