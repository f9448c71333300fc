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
  return kind === 'group' && identity.providers.some((provider) => id.startsWith(`${provider.id}/`))
}

export function identityProblems(files: readonly ReadFile[]): FieldProblem[] {
  const providers = files.flatMap(({ declared }) => declared.identity?.providers ?? [])
  return [...files.flatMap(providerProblems), ...signInProblems(files, providers)]
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
