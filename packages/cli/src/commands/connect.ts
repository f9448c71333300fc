/** `tidegate connect` */

import type { Client } from '@tidegate/api'
import { keepAuthorityFile, withAuthorityFile } from '../access/authority.ts'
import { findProgram, runProgram } from '../access/child.ts'
import { endGrant } from '../access/end.ts'
import { childEnvironment, chooseDatabase, connectionUri, localTls, localUri } from '../access/environment.ts'
import type { Listener } from '../access/listener.ts'
import { openListener } from '../access/listener.ts'
import { obtainGrant } from '../access/obtain.ts'
import type { Opened } from '../access/open.ts'
import { changedNothing, openGrant } from '../access/open.ts'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { isInteractive } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { Interruption } from '../interruption.ts'
import { withInterruption } from '../interruption.ts'
import type { Line } from '../output.ts'
import { patience } from '../limits.ts'
import { bold, command } from '../output.ts'
import { confirm } from '../prompt.ts'
import { connectToServer } from '../server.ts'
import type { Duration } from '../values.ts'
import { duration, role, text, wholeNumber } from '../values.ts'
import type { Grant } from '../words/grant.ts'
import { timeWords } from '../words/grant.ts'
import { when } from '../words/times.ts'

type Input = {
  readonly role: string
  readonly for: Duration | undefined
  readonly reason: string | undefined
  readonly ticket: string | undefined
  readonly wait: boolean
  readonly timeout: Duration
  readonly database: string | undefined
  readonly print: boolean
  readonly port: number | undefined
  readonly keep: boolean
  readonly end: boolean
}

export const connect = defineCommand({
  name: ['connect'],
  summary: 'Open a session with a role: psql, or a connection URI for the tool at hand',
  details: [
    'Uses a grant of yours for this role that has time left, or asks for one and waits for its answer. Then opens it and runs psql with the credential in its environment, never in its arguments. Without psql, or with --print, it prints a connection URI, which holds the secret.',
    'With --port it listens on this machine, for tools that keep one address for a connection, until Ctrl-C or the end of the grant. TLS, where there is any, is between the tool and the other end.',
    'When psql ends it asks whether to end the grant; with no terminal it ends it. Ctrl-C while waiting leaves the request; in psql it is psql’s.',
    'Exits with the code of psql.',
  ],
  arguments: { role: { value: role, about: 'RESOURCE/ROLE, as `tidegate resources` lists them.' } },
  options: {
    for: { about: 'How long, where a request is made; 1h where it is not given.', value: duration },
    reason: { about: 'What for, where a request is made; asked for at a terminal.', value: text('TEXT') },
    ticket: { about: 'The ticket it is for.', value: text('TICKET') },
    wait: { about: 'Wait for a gateway, and for a target that is down where its resource waits for it.' },
    timeout: { about: 'How long to wait for an answer, and for a target.', value: duration, default: '10m' },
    database: { about: 'The database, where the role is on several.', value: text('NAME') },
    print: { about: 'Print a connection URI, and leave the grant open.', conflicts: ['end'] },
    port: {
      about: 'Lead this port of 127.0.0.1 to it, and print what to connect with; 0 for any that is free.',
      value: wholeNumber('N', { min: 0, max: 65_535 }),
      conflicts: ['print'],
    },
    keep: { about: 'Leave the grant open afterwards, without asking.', conflicts: ['end'] },
    end: { about: 'End the grant afterwards, without asking.' },
  },
  examples: [
    { line: 'tidegate connect orders-db/readonly --reason "Look into OPS-17"', about: 'Open psql' },
    { line: 'tidegate connect orders-db/readonly --keep', about: 'Come back to it later' },
    { line: 'tidegate connect orders-db/readonly --print', about: 'A URI for another tool' },
    { line: 'tidegate connect orders-db/readonly --port 15432', about: 'An address that a GUI can keep' },
  ],
  run: async (invocation, input) => {
    if (input.port !== undefined) return connectLocally(invocation, input, input.port)
    const psql = input.print ? undefined : await findProgram('psql', invocation.env['PATH'])
    if (psql === undefined && !input.print) refuseWithoutPsql(invocation, input)
    return connectWith(invocation, input, (session, opened) =>
      psql === undefined ? printUri(invocation, session, opened) : runPsql(invocation, session, { opened, psql }),
    )
  },
})

/** The port is taken before anything is opened: where it is in use, no grant is used up for it. */
async function connectLocally(invocation: Invocation, input: Input, port: number): Promise<Exit> {
  const listener = await openListener(port)
  try {
    return await connectWith(invocation, input, (session, opened) => serve(invocation, session, { opened, listener }))
  } finally {
    await listener.close()
  }
}

type Use = (session: Session, opened: Opened) => Promise<Exit>

const connectWith = (invocation: Invocation, input: Input, use: Use): Promise<Exit> =>
  withInterruption(invocation, async (interruption) => {
    const client = await connectToServer(invocation)
    const wish = { ...input, duration: input.for, wait: true, reuse: ['ready', 'active'] as const }
    const obtained = await obtainGrant(invocation, { client, interruption }, wish)
    if (obtained.outcome === 'none') return obtained.exit
    const session = { client, interruption, input, grant: obtained.grant }
    return useGrant(invocation, session, (opened) => use(session, opened))
  })

/** Where stdout is a pipe or a file, a secret goes into it only when that was asked for. */
function refuseWithoutPsql({ stdout }: Invocation, { end }: Input): void {
  if (stdout.isTTY === true && !end) return
  const why = end ? 'so there is no session for --end to wait for' : 'and stdout is not a terminal'
  throw new Failure('usage', `There is no psql in PATH, ${why}.`, {
    remedy: 'Install psql, or add --print to write a connection URI with its secret to stdout.',
  })
}

type Session = {
  readonly client: Client
  readonly interruption: Interruption
  readonly input: Input
  readonly grant: Grant
}

async function useGrant(
  invocation: Invocation,
  session: Session,
  use: (opened: Opened) => Promise<Exit>,
): Promise<Exit> {
  const { client, interruption, input } = session
  const waitForTarget = input.wait ? input.timeout.length : undefined
  let grant = session.grant
  let used = false
  let asItWas = false
  try {
    const opened = await openGrant(invocation, { client, grant, interruption, waitForTarget })
    grant = opened.grant
    const exit = await use(opened)
    used = true
    return exit
  } catch (error) {
    asItWas = changedNothing(error)
    throw error
  } finally {
    if (!used) await cleanUp(invocation, { ...session, grant }, { asItWas })
    else if (!input.print) await finish(invocation, { ...session, grant })
  }
}

async function printUri(invocation: Invocation, { input }: Session, { grant, credential }: Opened): Promise<Exit> {
  const { out } = invocation
  const database = chooseDatabase(credential, input.database)
  const caFile = await keepAuthorityFile(invocation, credential)
  out.warn('What is printed now holds a secret. It is shown this once.')
  out.result({ grant, credential }, () => [connectionUri({ credential, database, caFile })])
  if (input.print) out.note(...staysLines(invocation, grant))
  return 'ok'
}

async function serve(
  invocation: Invocation,
  session: Session,
  { opened, listener }: { readonly opened: Opened; readonly listener: Listener },
): Promise<Exit> {
  const { input } = session
  const { credential, grant } = opened
  const { out } = invocation
  const { host, port } = listener
  const use = {
    credential,
    database: chooseDatabase(credential, input.database),
    caFile: await keepAuthorityFile(invocation, credential),
  }
  listener.leadTo(credential)
  out.warn('What is printed now holds a secret. It is shown this once.')
  out.result({ grant, credential, listener: { host, port } }, () => localLines(use, listener))
  out.note(`${grant.role} is open at ${host}:${port} until Ctrl-C; it ends ${when(invocation, grant.expiresAt)}.`)
  await untilOver(invocation, session)
  return 'ok'
}

/** Until Ctrl-C, or until the server says that the grant has ended: then nobody gets in any more. */
async function untilOver(
  { sleep }: Pick<Invocation, 'sleep'>,
  { client, grant, interruption: { signal } }: Session,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(patience.heldMs, signal)
    const now = await look(client, grant, { signal })
    if (now !== undefined && hasEnded(now)) return
  }
}

function localLines(use: Parameters<typeof localUri>[0], listener: Listener): readonly Line[] {
  const { credential, database } = use
  const fields = {
    host: listener.host,
    port: String(listener.port),
    database,
    user: credential.user,
    password: credential.secret,
    sslmode: localTls(use),
  }
  return [
    ...Object.entries(fields).map(([name, value]): Line => [bold(name.padEnd(10)), value]),
    localUri(use, listener),
  ]
}

async function runPsql(
  invocation: Invocation,
  { interruption, input }: Session,
  { opened, psql }: { readonly opened: Opened; readonly psql: string },
): Promise<number> {
  const { credential, grant } = opened
  const database = chooseDatabase(credential, input.database)
  invocation.out.note(`${grant.role} is open; it ends ${when(invocation, grant.expiresAt)}.`)
  return withAuthorityFile(invocation, credential, async (caFile) => {
    interruption.signal.throwIfAborted()
    const env = childEnvironment(invocation.env, { credential, database, caFile, grant: grant.id })
    // Ctrl-C cancels a query in psql; the terminal sends it there by itself.
    const passOn = (signal: string): boolean => signal !== 'SIGINT'
    return runProgram(invocation, { file: psql, args: [], env, interruption, passOn })
  })
}

/** A grant that could not be used is not left open; one that never opened stays ready, with its approval. */
async function cleanUp(
  invocation: Invocation,
  { client, grant }: Session,
  { asItWas }: { readonly asItWas: boolean },
): Promise<void> {
  const now = await look(client, grant)
  if (now !== undefined && hasEnded(now)) return
  if (now !== undefined && (asItWas || now.state === 'ready')) invocation.out.note(...staysLines(invocation, now))
  else if (!asItWas) await endGrant(invocation, { client, grant: now ?? grant, because: 'done' })
}

async function finish(invocation: Invocation, session: Session): Promise<void> {
  const { client, grant } = session
  const now = (await look(client, grant)) ?? grant
  if (hasEnded(now)) invocation.out.note(`Grant ${now.id} ${timeWords(invocation, now)}.`)
  else if (await shallEnd(invocation, session)) await endGrant(invocation, { client, grant: now, because: 'done' })
  else invocation.out.note(...staysLines(invocation, now))
}

async function shallEnd(invocation: Invocation, { input, interruption }: Session): Promise<boolean> {
  if (input.keep || input.end) return input.end
  // Ctrl-C was psql's. After any other signal nobody is there to answer.
  const isAlone = interruption.received().some((signal) => signal !== 'SIGINT')
  if (isAlone || !isInteractive(invocation)) return true
  const cancel = new AbortController()
  const stop = interruption.listen(() => cancel.abort())
  try {
    return await confirm({ ...invocation, cancelled: cancel.signal }, 'End the grant now?', { byDefault: true })
  } finally {
    stop()
  }
}

/** As it is now; `undefined` where the server does not say. */
const look = async (
  client: Client,
  { id }: Grant,
  options?: { readonly signal: AbortSignal },
): Promise<Grant | undefined> => client.getGrant({ id }, options).catch(() => undefined)

const hasEnded = ({ state }: Grant): boolean => state === 'ended' || state === 'ending'

const staysLines = (invocation: Invocation, grant: Grant): readonly Line[] => [
  `Grant ${grant.id} stays: ${timeWords(invocation, grant)}.`,
  ['  End it: ', command(`tidegate done ${grant.id}`)],
]
