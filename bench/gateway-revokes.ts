/**
 * A revoke by the API, told by the server to a gateway that is a process of its own, to the client's socket closing.
 * They are called for one after the other, and many at once, while hundreds are in the middle of a statement.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Moment, moment, openThroughTidegate } from './access.ts'
import { connectRaw, type RawClient, statements } from './gateway-clients.ts'
import { workers } from './gateway-stand.ts'
import type { BenchOptions, Row } from './harness.ts'
import { figureOf, inParallel, numbers, rowOf } from './harness.ts'
import { quietSettings, setUp, type Stand } from './stand.ts'

/** Openings under way at once. */
const openingWidth = 16
/** Revokes under way at once: as one administrator sends them, and as many as all ever would. */
const revokingWidths = [1, 64]
const cutWithinMs = 30_000

export async function revoking(options: BenchOptions): Promise<Row[]> {
  const stand = await setUp(options, quietSettings, (resource) =>
    resource.replace('kind: postgres', 'kind: postgres\n    gateway: required'),
  )
  try {
    return [...(await revokingAt(1, stand, options)), ...(await revokingAt(workers, stand, options))]
  } finally {
    await stand.close()
  }
}

async function revokingAt(processes: number, stand: Stand, options: BenchOptions): Promise<Row[]> {
  const count = options.quick ? 50 : 500
  const kind = processes === 1 ? '' : `, gateway of ${processes} processes`
  const gateway = await startGatewayProcess(stand, processes)
  try {
    const rows: Row[] = []
    for (const width of revokingWidths) {
      const late: Late[] = []
      for (let round = 0; round < (options.rounds ?? 1); round++) {
        options.note(`opening ${count} through the gateway${kind}`)
        late.push(...(await revokeAll(stand, count, width)))
      }
      rows.push(...rowsOf(late, `${count} busy, ${width === 1 ? 'one call' : `${width} calls`} at a time${kind}`))
    }
    return rows
  } finally {
    await gateway.stop()
  }
}

/** In ms. */
type Late = { readonly sinceSent: number; readonly sinceAnswered: number } | undefined

function rowsOf(late: readonly Late[], live: string): Row[] {
  const cut = late.filter((one) => one !== undefined)
  const answered = rowOf(
    `revoke's answer to the client's socket closing, ${live}`,
    cut.map(({ sinceAnswered }) => sinceAnswered),
  )
  const { p50, p95, p99, max } = answered.figures as Readonly<Record<'p50' | 'p95' | 'p99' | 'max', number>>
  return [
    { ...answered, figures: { p99, p50, p95, max }, wanted: { atMost: 50 } },
    rowOf(
      `revoke's sending to the client's socket closing, ${live}`,
      cut.map(({ sinceSent }) => sinceSent),
    ),
    figureOf('  not closed at all', late.length - cut.length, 'count', { atMost: 0 }),
  ]
}

type Busy = { readonly grant: string; readonly client: RawClient }

async function revokeAll(stand: Stand, count: number, width: number): Promise<Late[]> {
  const busy = await inParallel(numbers(count), openingWidth, async (i): Promise<Busy> => {
    const { grant, login } = await openThroughTidegate(stand.people[i % stand.people.length] ?? stand.alice, '1h')
    const client = await connectRaw(login)
    client.keepSaying(statements)
    return { grant, client }
  })
  const late = await inParallel(busy, width, async ({ grant, client }) => {
    const sent = moment()
    await stand.administrator.revokeGrant({ id: grant, reason: 'Benchmark' })
    return { client, sent, answered: moment() }
  })
  return Promise.all(late.map(lateness))
}

type Revoked = { readonly client: RawClient; readonly sent: Moment; readonly answered: Moment }

async function lateness({ client, sent, answered }: Revoked): Promise<Late> {
  const cut = await Promise.race([client.cut, delay(cutWithinMs, undefined, { ref: false })])
  if (cut === undefined) client.drop()
  return cut && { sinceSent: cut.ms - sent.ms, sinceAnswered: cut.ms - answered.ms }
}

/** As it ships, and as it is started on a machine of its own. */
async function startGatewayProcess(
  { server, administrator, folder }: Stand,
  processes: number,
): Promise<{ stop: () => Promise<void> }> {
  const id = `bench-${processes}`
  const { enrolmentToken } = await administrator.createGateway({ id })
  const command = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url))
  const data = join(folder, id)
  const wishes = ['--listen', '127.0.0.1:0', '--workers', String(processes)]
  const argv = ['gateway', '--url', server.url, '--data', data, ...wishes]
  const child = spawn(process.execPath, [command, ...argv], {
    env: { PATH: process.env['PATH'], TIDEGATE_ENROLMENT_TOKEN: enrolmentToken },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8')
  const exited = once(child, 'exit')
  while (!said.includes('listens at')) {
    const more = await Promise.race([once(child.stderr, 'data'), exited.then(() => undefined)])
    if (more === undefined) throw new Error(`The gateway did not start: ${said}`)
    said += String(more[0])
  }
  return {
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
