/** What has to be so of providers and sign-ins, so that it is clear who is believed about whom. */

import type { FieldProblem } from '@tidegate/api'
import type { Member } from './membership.ts'
import type { ReadFile } from './read.ts'
import type { DeclaredIdentity, DeclaredProvider } from './schema.ts'

/** `example.com` of `alice@example.com`. `undefined`: it is no mail address. */
export const domainOf = (email: string): string | undefined => /^[^@\s]+@([^@\s]+)$/.exec(email)?.[1]?.toLowerCase()

export const providerOfDomain = ({ providers }: DeclaredIdentity, email: string): DeclaredProvider | undefined => {
  const domain = domainOf(email)
  return domain === undefined ? undefined : providers.find(({ domains }) => domains.includes(domain))
}

/** A person of a provider's domain, or a group of a provider: nobody knows here whether they are there. */
export function mayBeInDirectory(identity: DeclaredIdentity, { kind, id }: Member): boolean {
  if (kind === 'user') return id === id.toLowerCase() && providerOfDomain(identity, id) !== undefined
  return kind === 'group' && [...identity.providers, ...identity.scim].some((source) => id.startsWith(`${source.id}/`))
}

export function identityProblems(files: readonly ReadFile[]): FieldProblem[] {
  const providers = files.flatMap(({ declared }) => declared.identity?.providers ?? [])
  return [...files.flatMap(providerProblems), ...files.flatMap(scimProblems), ...signInProblems(files, providers)]
}

/** Two that are believed about the same people would each be able to be the other's. */
function providerProblems({ declared, at }: ReadFile): FieldProblem[] {
  const problems: FieldProblem[] = []
  const ids = new Set<string>()
  const domains = new Map<string, string>()
  for (const [index, provider] of (declared.identity?.providers ?? []).entries()) {
    const path = ['identity', 'providers', index]
    if (ids.has(provider.id))
      problems.push({ field: at([...path, 'id']), message: `${provider.id} is declared twice.`, remedy: 'Keep one.' })
    ids.add(provider.id)
    for (const [place, domain] of provider.domains.entries()) {
      const other = domains.get(domain)
      domains.set(domain, provider.id)
      if (other === undefined) continue
      const message = `People of ${domain} sign in at ${other} already.`
      problems.push({ field: at([...path, 'domains', place]), message, remedy: 'Name each domain once.' })
    }
  }
  return problems
}

/** What a source says of a group goes by its id, so no two sources of any kind have one. */
function scimProblems({ declared, at }: ReadFile): FieldProblem[] {
  const { providers, scim } = declared.identity ?? { providers: [], scim: [] }
  const ids = new Set(providers.map(({ id }) => id))
  return scim.flatMap(({ id, provider }, index) => {
    const field = (name: string): string => at(['identity', 'scim', index, name])
    const known = providers.some((one) => one.id === provider)
    const taken = ids.has(id)
    ids.add(id)
    const remedy = 'Declare it under identity.'
    return [
      ...(known ? [] : [{ field: field('provider'), message: `There is no provider ${provider}.`, remedy }]),
      ...(taken
        ? [{ field: field('id'), message: `${id} is the name of another source.`, remedy: 'Choose one of its own.' }]
        : []),
    ]
  })
}

function signInProblems(files: readonly ReadFile[], providers: readonly DeclaredProvider[]): FieldProblem[] {
  const problems: FieldProblem[] = []
  const identity = { providers } as DeclaredIdentity
  const taken = new Map<string, string>()
  const once = (key: string, problem: FieldProblem): void => {
    if (taken.has(key)) problems.push(problem)
    taken.set(key, key)
  }
  for (const { declared, at } of files) {
    for (const [index, { email, signIns }] of declared.users.entries()) {
      for (const [place, { provider, subject }] of signIns.entries()) {
        const field = at(['users', index, 'signIns', place])
        if (!providers.some(({ id }) => id === provider))
          problems.push({ field, message: `There is no provider ${provider}.`, remedy: 'Declare it under identity.' })
        once(`${provider} ${subject}`, { field, message: 'This sign-in is declared twice.', remedy: 'Keep one.' })
      }
      if (email !== undefined && providerOfDomain(identity, email)) {
        const field = at(['users', index, 'email'])
        const message = `${email} is the address of two users: nobody could say who signs in.`
        once(email.toLowerCase(), { field, message, remedy: 'Correct one.' })
      }
    }
  }
  return problems
}
