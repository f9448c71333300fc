/** `tidegate server` */

import type * as Server from '@tidegate/server'
import type { RunningServer } from '@tidegate/server'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { bold, command, dim } from '../output.ts'
import { stopRequested } from '../stop-requested.ts'
import { text } from '../values.ts'

export const server = defineCommand({
  name: ['server'],
  summary: 'Run the control plane',
  details: [
    'With nothing configured it runs its own PostgreSQL in the data folder. With DATABASE_URL it uses yours. Settings ' +
      'come from the environment and from a file; docs/reference/settings.md lists them.',
    'The first start on an empty store prints the token of the first administrator, once.',
  ],
  options: {
    data: { value: text('DIR'), about: 'The data folder, instead of TIDEGATE_DATA.' },
    listen: { value: text('HOST:PORT'), about: 'Where the API answers, instead of TIDEGATE_LISTEN.' },
    config: { value: text('FILE'), about: 'A settings file in YAML.' },
  },
  examples: [
    { line: 'tidegate server', about: 'A server of its own, on 127.0.0.1:7070, with its data in ./.tidegate' },
    { line: 'tidegate server --data /var/lib/tidegate', about: 'With its data somewhere else' },
  ],
  run: async (invocation, { data, listen, config }) => {
    const env = {
      ...invocation.env,
      ...(data !== undefined && { TIDEGATE_DATA: data }),
      ...(listen !== undefined && { TIDEGATE_LISTEN: listen }),
    }
    const running = await start(env, config)
    announce(invocation, running)
    const lost = await Promise.race([stopRequested(invocation), running.lost])
    await running.stop()
    if (lost !== undefined) throw new Failure('failure', lost, { remedy: 'Start the server again.' })
    return 'ok'
  },
})

async function start(env: Invocation['env'], config: string | undefined): Promise<RunningServer> {
  // Every other command is a client, and does not wait for the server's code to load.
  const server = await import('@tidegate/server')
  try {
    const settings = await server.loadSettings(env, config)
    return await server.startServer({ settings, env, logger: server.createLogger(settings.logLevel) })
  } catch (error) {
    throw asRefusal(server, error)
  }
}

/** What people can do something about is told as such; anything else is a fault of ours. */
function asRefusal({ StartRefusal, isEmbeddedError }: typeof Server, error: unknown): unknown {
  if (error instanceof StartRefusal) return new Failure('usage', error.message, { remedy: error.remedy })
  if (isEmbeddedError(error, 'data-dir-in-use')) return new Failure('failure', error.message)
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return new Failure('failure', `The address is in use: ${message}.`, { remedy: 'Choose another with --listen.' })
  return error
}

function announce({ out }: Invocation, { url, firstToken }: RunningServer): void {
  out.note([bold('Tidegate'), ` answers at ${url}`])
  if (firstToken === undefined) return
  out.result({ url, firstToken }, () => [
    '',
    bold('The first administrator’s token, shown this once:'),
    '',
    `  ${firstToken}`,
    '',
    [dim('Next: '), command(`tidegate login --url ${url}`), dim(' and '), command('tidegate apply -f DIR --plan')],
    dim('It works for 90 days. Put administrators with tokens of their own into configuration before that.'),
    '',
  ])
}
