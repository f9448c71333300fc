/** `tidegate exec` */

import type { Client } from '@tidegate/api'
import { withAuthorityFile } from '../access/authority.ts'
import { findProgram, runProgram, unlessFromTerminal } from '../access/child.ts'
import { endGrant } from '../access/end.ts'
import { childEnvironment, chooseDatabase } from '../access/environment.ts'
import { obtainGrant } from '../access/obtain.ts'
import type { Credential } from '../access/open.ts'
import { openGrant } from '../access/open.ts'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { programExits } from '../exit-codes.ts'
import type { Interruption } from '../interruption.ts'
import { withInterruption } from '../interruption.ts'
import { connectToServer } from '../server.ts'
import type { Duration } from '../values.ts'
import { duration, role, text, verbatim } from '../values.ts'
import type { Grant } from '../words/grant.ts'

type Input = {
  readonly role: string
  readonly command: readonly string[]
  readonly for: Duration | undefined
  readonly reason: string
  readonly ticket: string | undefined
  readonly wait: boolean
  readonly timeout: Duration
  readonly database: string | undefined
}

export const exec = defineCommand({
  name: ['exec'],
  summary: 'Run one command with a role; the grant ends when the command ends',
  details: [
    'The credential is in the command’s environment, as libpq’s PG… variables: psql, pg_dump and most drivers take it from there. TIDEGATE_TOKEN is not.',
    'The grant ends when the command does, however that comes about: its own end, a signal to it or to tidegate, or that it cannot be started. A grant of yours that is ready and was never opened is used; one that is open already is left to whoever uses it.',
    'Exits with the code of the command, 128+n where signal n ended it, 127 where there is no such command and 126 where it cannot be run.',
  ],
  arguments: {
    role: { value: role, about: 'RESOURCE/ROLE.' },
    command: { value: verbatim('CMD'), about: 'The command and its arguments, after `--`.', many: true },
  },
  options: {
    reason: { about: 'What for; approvers and auditors read it.', value: text('TEXT'), required: true },
    for: { about: 'How long at most; 1h where it is not given.', value: duration },
    ticket: { about: 'The ticket it is for.', value: text('TICKET') },
    wait: { about: 'Wait for an approver, and for a target that is down.' },
    timeout: { about: 'How long to wait.', value: duration, default: '10m' },
    database: { about: 'The database, where the role is on several.', value: text('NAME') },
  },
  examples: [
    { line: 'tidegate exec orders-db/writer --reason "Migration 42" -- psql -f 42.sql', about: 'Run a migration' },
    {
      line: 'tidegate exec orders-db/readonly --reason "Nightly export" --for 2h -- pg_dump -Fc -f orders.dump',
      about: 'Take a dump',
    },
  ],
  run: async (invocation, input) => {
    const [file = '', ...args] = input.command
    if ((await findProgram(file, invocation.env['PATH'])) === undefined) {
      invocation.out.note(`There is no program ${file} to run. Nothing was requested.`)
      return programExits.notFound
    }
    return withInterruption(invocation, (interruption) => perform(invocation, interruption, { ...input, file, args }))
  },
})

type Task = Input & { readonly file: string; readonly args: readonly string[] }

async function perform(invocation: Invocation, interruption: Interruption, task: Task): Promise<Exit> {
  const client = await connectToServer(invocation)
  const wish = { ...task, duration: task.for, reuse: ['ready'] as const }
  const obtained = await obtainGrant(invocation, { client, interruption }, wish)
  if (obtained.outcome === 'none') return obtained.exit
  return useOnce(invocation, { client, interruption, task, grant: obtained.grant })
}

type Use = {
  readonly client: Client
  readonly interruption: Interruption
  readonly task: Task
  readonly grant: Grant
}

/** From here on the grant is ended, whatever happens. */
async function useOnce(invocation: Invocation, use: Use): Promise<Exit> {
  const { client, interruption, task } = use
  let { grant } = use
  try {
    const waitForTarget = task.wait ? task.timeout.length : undefined
    const opened = await openGrant(invocation, { client, grant, interruption, waitForTarget })
    grant = opened.grant
    return await runTask(invocation, { ...use, grant }, opened.credential)
  } finally {
    await endGrant(invocation, { client, grant, because: 'task-ended' })
  }
}

async function runTask(invocation: Invocation, use: Use, credential: Credential): Promise<number> {
  const { interruption, task, grant } = use
  const { file, args } = task
  const database = chooseDatabase(credential, task.database)
  return withAuthorityFile(invocation, credential, async (caFile) => {
    interruption.signal.throwIfAborted()
    const env = childEnvironment(invocation.env, { credential, database, caFile, grant: grant.id })
    return runProgram(invocation, { file, args, env, interruption, passOn: unlessFromTerminal(invocation) })
  })
}
