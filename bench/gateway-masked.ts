/** What masking and TLS cost, beside the same without them. */

import { connectRaw } from './gateway-clients.ts'
import { type Program, type ProgramLogin, pgbenchRate } from './gateway-programs.ts'
import type { GatewayStand } from './gateway-stand.ts'
import type { BenchOptions, Row } from './harness.ts'
import { against, interleave, medianOf, turned } from './harness.ts'

const prepared = ['--select-only', '--protocol=prepared']
const clients = 8

/** Transactions a second of each login, in turn. */
async function rates(
  logins: Readonly<Record<string, ProgramLogin>>,
  pgbench: Program,
  { rounds, quick }: BenchOptions,
): Promise<(name: string) => Row> {
  const names = Object.keys(logins)
  const found = Object.fromEntries(names.map((name): [string, number[]] => [name, []]))
  const measure = async (name: string): Promise<number> => {
    const login = logins[name]
    return login === undefined ? 0 : pgbenchRate(pgbench, login, { argv: prepared, clients, seconds: quick ? 1 : 2 })
  }
  for (const name of names) await measure(name)
  for (let round = 0; round < (rounds ?? (quick ? 1 : 5)); round++) {
    for (const name of turned(names, round)) found[name]?.push(await measure(name))
  }
  return (name) => medianOf(`select-only, prepared, ${clients} clients: ${name}`, found[name] ?? [], 'per s')
}

export async function masking(
  stand: GatewayStand,
  pgbench: Program | undefined,
  options: BenchOptions,
): Promise<Row[]> {
  options.note('masking')
  const rows = await cells(stand, options)
  if (pgbench === undefined) return rows
  const [plain, masked] = [stand.asUser('reader'), stand.asUser('masked')]
  const rowOf = await rates({ gateway: plain, 'gateway with a mask': masked }, pgbench, options)
  return [against(rowOf('gateway with a mask'), rowOf('gateway')), ...rows]
}

export async function overTls(stand: GatewayStand, pgbench: Program, options: BenchOptions): Promise<Row[]> {
  options.note('TLS')
  const plain = stand.asUser('reader')
  const rowOf = await rates({ gateway: plain, 'gateway, TLS to it': { ...plain, tls: true } }, pgbench, options)
  return [against(rowOf('gateway, TLS to it'), rowOf('gateway'))]
}

/** Ten columns of text, one of which a rule names; nothing in them looks like what is searched for. */
const columns = 10

/** What a processor of the gateway spends on a million cells, from the first byte that comes to the last that goes. */
async function cells(stand: GatewayStand, { rounds, quick }: BenchOptions): Promise<Row[]> {
  const million = quick ? 0.1 : 1
  const names = Array.from({ length: columns }, (_, at) => `md5((id * ${columns} + ${at})::text) as c${at}`).join(', ')
  const count = (million * 1_000_000) / columns
  await stand.owner.query(`create unlogged table cells as select ${names} from generate_series(1, ${count}) as id`)
  const spent = { reader: [] as number[], masked: [] as number[], searched: [] as number[] }
  const measure = (user: keyof typeof spent) => async (): Promise<void> => {
    const client = await connectRaw(stand.asUser(user))
    const before = await stand.gateway.weigh()
    await client.say('select * from cells')
    const after = await stand.gateway.weigh()
    client.drop()
    spent[user].push((after.processorMs - before.processorMs) / million)
  }
  const users = Object.keys(spent) as (keyof typeof spent)[]
  await interleave(Object.fromEntries(users.map((user) => [user, measure(user)])), 1 + (rounds ?? (quick ? 1 : 5)))
  const rowOf = (user: keyof typeof spent, what: string): Row =>
    medianOf(`of a processor, a million cells through the gateway: ${what}`, spent[user].slice(1), 'ms')
  const bare = rowOf('reader', 'without a mask')
  return [
    bare,
    against(rowOf('masked', 'one column of ten is masked'), bare),
    against(rowOf('searched', 'and every cell is searched for addresses and cards'), bare),
  ]
}
