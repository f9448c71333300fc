/** Coming to be known: logins a second in four ways, each beside the work that nobody could leave out. */

import { createLocalJWKSet, jwtVerify } from 'jose'
import { hashPassword, isPassword } from '../packages/server/src/identity/local/password.ts'
import type { BenchOptions, Row } from './harness.ts'
import { against, inParallel, medianOf, numbers, rowOf, timed, turned } from './harness.ts'
import type { IdentityStand } from './identity-stand.ts'
import { audience } from './identity-stand.ts'
import { entryColumns, insertLeft } from './left-rows.ts'

/** Logins under way at once. */
const width = 4
const engineers = 10

/** Those of one kind that are alike, done in chunks: the n-th of all. */
type Side = (n: number) => Promise<unknown>

/** @param count of each: more often than people have codes none can sign in by a password */
export async function loggingIn(stand: IdentityStand, { note }: BenchOptions, count: number): Promise<readonly Row[]> {
  const chunks = Math.min(5, count)
  note(`${count} logins in each way, ${width} at a time, ways in turn`)
  const tokens = await stand.platformTokens(count)
  const hashed = await hashPassword('correct horse battery staple')
  const keys = createLocalJWKSet(stand.platformKeys)
  const sides = {
    hash: () => isPassword('correct horse battery staple', hashed),
    password: (n) => stand.signInByPassword(n),
    provider: (n) => stand.signIn(n % engineers),
    check: (n) => jwtVerify(tokens[n] ?? '', keys, { audience }),
    exchange: (n) => stand.exchange(tokens[n] ?? ''),
    secret: () => stand.signInService(),
  } as const satisfies Record<string, Side>
  const taken = await inChunks(sides, { count, chunks })
  note('what they left, bare')
  const [ofPeople, ofMachines] = [await leftBy(stand, 'login'), await leftBy(stand, 'machine_login')]
  return rowsOf(taken, { ofPeople, ofMachines })
}

type Taken = { readonly perSecond: number[]; readonly each: number[] }

async function inChunks<K extends string>(
  sides: Readonly<Record<K, Side>>,
  { count, chunks }: { readonly count: number; readonly chunks: number },
): Promise<Record<K, Taken>> {
  const names = Object.keys(sides) as K[]
  const taken = Object.fromEntries(names.map((name) => [name, { perSecond: [], each: [] }])) as unknown as Record<
    K,
    Taken
  >
  const size = Math.floor(count / chunks)
  for (const chunk of numbers(chunks)) {
    for (const name of turned(names, chunk)) {
      const { ms } = await timed(() =>
        inParallel(numbers(size), width, async (i) => {
          taken[name].each.push((await timed(async () => sides[name](chunk * size + i))).ms)
        }),
      )
      taken[name].perSecond.push((size * 1_000) / ms)
    }
  }
  return taken
}

/** A second, of the rows that a login of such a kind is, its entry included, in as many transactions. */
async function leftBy({ store }: IdentityStand, table: 'login' | 'machine_login'): Promise<number> {
  const query = `
    select json_build_array(l)::text as ${table}, ${entryColumns('e')}
    from ${table} l join audit_entry e on convert_from(e.body, 'UTF8')::jsonb ->> 'login' = l.id
    where e.type = '${table.replace('_', '-')}.started' and (to_jsonb(l) ->> 'allowed_by') is null`
  const { ms, count } = await insertLeft(store, { database: `bare_${table}`, query, width })
  return (count * 1_000) / ms
}

type Left = { readonly ofPeople: number; readonly ofMachines: number }

function rowsOf(
  { hash, password, provider, check, exchange, secret }: Record<string, Taken> & Record<'hash' | 'password', Taken>,
  { ofPeople, ofMachines }: Left,
): readonly Row[] {
  const rate = (what: string, taken: Taken | undefined): Row => medianOf(what, taken?.perSecond ?? [], 'per s')
  const hashes = rate('passwords hashed, and nothing else', hash)
  const checks = rate('signatures of tokens checked, and nothing else', check)
  const people = medianOf('the rows of a person’s login inserted bare', [ofPeople], 'per s')
  const machines = medianOf('the rows of a machine’s login inserted bare', [ofMachines], 'per s')
  const each = (what: string, taken: Taken | undefined): Row => rowOf(`${what}, each`, taken?.each ?? [])
  return [
    hashes,
    against(rate('logins by a password and a code', password), hashes),
    each('logins by a password and a code', password),
    people,
    against(rate('logins through a provider, its signing included', provider), people),
    each('logins through a provider', provider),
    checks,
    machines,
    against(rate('tokens of a platform exchanged', exchange), machines),
    each('tokens of a platform exchanged', exchange),
    against(rate('logins of a service by its secret', secret), machines),
    each('logins of a service by its secret', secret),
  ]
}
