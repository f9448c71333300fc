/** `tidegate server` */

import type { RunningGateway } from '@tidegate/gateway'
import type * as Server from '@tidegate/server'
import type { RunningServer } from '@tidegate/server'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { Failure, show } from '../failure.ts'
import type { Beside } from '../gateway/beside-server.ts'
import { readBeside, startBeside } from '../gateway/beside-server.ts'
import { sessionRules } from '../gateway/session-rules.ts'
import { bold, command, dim, indented } from '../output.ts'
import { stopRequested } from '../stop-requested.ts'
import { hostPortText, text } from '../values.ts'

export const server = defineCommand({
  name: ['server'],
  summary: 'Run the control plane',
  details: [
    'With nothing configured it runs its own PostgreSQL in the data folder. With DATABASE_URL it uses yours. Settings ' +
      'come from the environment and from a file; docs/reference/settings.md lists them.',
    'With --gateway it runs a gateway called `local` too, with its identity and recordings in the folder `gateway` of the data folder, and the TIDEGATE_GATEWAY_… settings of `tidegate gateway`. That is for one server on a store: with several, run gateways of their own.',
    'The first start on an empty store prints the token of the first administrator, once.',
  ],
  options: {
    data: { value: text('DIR'), about: 'The data folder, instead of TIDEGATE_DATA.' },
    listen: { value: text('HOST:PORT'), about: 'Where the API answers, instead of TIDEGATE_LISTEN.' },
    gateway: {
      value: text('HOST:PORT'),
      about: 'Run a gateway in this process too, where clients connect; instead of TIDEGATE_GATEWAY_LISTEN.',
    },
    config: { value: text('FILE'), about: 'A settings file in YAML.' },
  },
  examples: [
    { line: 'tidegate server', about: 'A server of its own, on 127.0.0.1:7070, with its data in ./.tidegate' },
    { line: 'tidegate server --data /var/lib/tidegate', about: 'With its data somewhere else' },
    { line: 'tidegate server --gateway 127.0.0.1:7432', about: 'With a gateway, for resources that require one' },
  ],
  run: async (invocation, { data, listen, gateway, config }) => {
    const env = {
      ...invocation.env,
      ...(data !== undefined && { TIDEGATE_DATA: data }),
      ...(listen !== undefined && { TIDEGATE_LISTEN: listen }),
      ...(gateway !== undefined && { TIDEGATE_GATEWAY_LISTEN: gateway }),
      ...(invocation.urlOption !== undefined && { TIDEGATE_URL: invocation.urlOption }),
    }
    const started = await start(env, config)
    const { running } = started
    announce(invocation, running)
    const stopGateway = await startItsGateway(invocation, started)
    const lost = await Promise.race([stopRequested(invocation), running.lost])
    await stopGateway()
    await running.stop()
    if (lost !== undefined) throw new Failure('failure', lost, startAgain)
    return 'ok'
  },
})

const startAgain = { remedy: 'Start the server again.' }

type Started = {
  readonly running: RunningServer
  readonly beside: Beside | undefined
  readonly logger: ReturnType<typeof Server.createLogger>
}

async function start(env: Invocation['env'], config: string | undefined): Promise<Started> {
  // Every other command is a client, and does not wait for the server's code to load.
  const server = await import('@tidegate/server')
  try {
    const settings = await server.loadSettings(env, config)
    const beside = await readBeside(env, settings)
    const logger = server.createLogger(settings.logLevel)
    const running = await server.startServer({ settings, env, logger, sessionRules: await sessionRules() })
    return { running, beside, logger }
  } catch (error) {
    throw asRefusal(server, error)
  }
}

/** What people can do something about is told as such; anything else is a fault of ours. */
function asRefusal({ StartRefusal, isEmbeddedError }: typeof Server, error: unknown): unknown {
  if (error instanceof StartRefusal) return new Failure('usage', error.message, { remedy: error.remedy })
  if (isEmbeddedError(error, 'data-dir-in-use')) return new Failure('failure', error.message)
  if (isEmbeddedError(error, 'gone')) return new Failure('failure', error.message, startAgain)
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return new Failure('failure', `The address is in use: ${message}.`, { remedy: 'Choose another with --listen.' })
  return error
}

/**
 * Gives how to stop it. Whatever becomes of the gateway, the server goes on: it ends what is over. What is to lead
 * through a gateway is refused meanwhile.
 */
async function startItsGateway(
  { out }: Invocation,
  { running, beside, logger }: Started,
): Promise<() => Promise<void>> {
  if (beside === undefined) return nothingToStop
  try {
    const log = (event: string, facts: Readonly<Record<string, unknown>>): void => logger.info(facts, event)
    const gateway = await startBeside(beside, { server: running, log })
    out.note([bold('Gateway'), ` ${gateway.id} listens at ${hostPortText(gateway)}`])
    void stopOnceLost(out, gateway)
    return gateway.stop
  } catch (error) {
    out.warn('The server runs without its gateway.', ...show(error).lines.map(indented))
    return nothingToStop
  }
}

const nothingToStop = async (): Promise<void> => undefined

async function stopOnceLost({ warn }: Invocation['out'], gateway: RunningGateway): Promise<void> {
  const why = await gateway.lost
  warn(`The gateway in this process stops, and the server goes on: ${why}.`)
  await gateway.stop()
}

function announce({ out }: Invocation, { url, firstToken, firstLink }: RunningServer): void {
  out.note([bold('Tidegate'), ` answers at ${url}`])
  if (firstToken === undefined) return
  out.result({ url, firstToken, firstLink }, () => [
    '',
    bold('The first administrator’s token, shown this once:'),
    '',
    `  ${firstToken}`,
    '',
    ...(firstLink === undefined
      ? []
      : [
          bold('Or, in a browser, an account with a passkey, by this link, good once and for a day:'),
          '',
          `  ${firstLink}`,
          '',
        ]),
    [
      dim('Next: '),
      command(`tidegate login --with-token --url ${url}`),
      dim(' and '),
      command('tidegate apply -f DIR --plan'),
    ],
    dim('It works for 90 days. Put administrators with tokens of their own into configuration before that.'),
    '',
  ])
}
