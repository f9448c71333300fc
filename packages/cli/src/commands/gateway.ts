/** `tidegate gateway` */

import { formatInstant } from '@tidegate/core'
import { defineCommand } from '../command.ts'
import type { Environment, Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { enrolmentTokenFor } from '../gateway/enrolment.ts'
import { gatewaySetting, gatewaySettingRows, readGatewaySettings } from '../gateway/settings.ts'
import { startGatewayHere } from '../gateway/start.ts'
import { bold } from '../output.ts'
import { mayCarryToken, serverUrl } from '../settings.ts'
import { stopRequested } from '../stop-requested.ts'
import { jsonText } from '../terminal-text.ts'
import { hostPortText, text } from '../values.ts'

export const gateway = defineCommand({
  name: ['gateway'],
  summary: 'Run a gateway: sessions with resources that require one go through it',
  details: [
    'The first time it enrols, with a token of `tidegate gateways new`: from TIDEGATE_ENROLMENT_TOKEN, from stdin, or asked for without showing it. From then on it is known by a key that it made in its data folder, where its recordings are too.',
    'Beyond loopback it asks for TLS. Each option can also be a variable of the environment; the reference lists them. Its log is JSON lines on stdout.',
    'On SIGTERM or Ctrl-C it ends the sessions, each client is told why, and finishes their recordings.',
  ],
  options: {
    data: { value: text('DIR'), about: 'The data folder, instead of TIDEGATE_GATEWAY_DATA.' },
    listen: { value: text('HOST:PORT'), about: 'Where clients connect, instead of TIDEGATE_GATEWAY_LISTEN.' },
    advertise: { value: text('HOST:PORT'), about: 'Where clients reach it, if that is not where it listens.' },
    workers: {
      value: text('N'),
      about: 'Processes that share the work, instead of TIDEGATE_GATEWAY_WORKERS. One unless it is said.',
    },
    tlsCert: { value: text('FILE'), about: 'Certificate chain, PEM. Only together with --tls-key.' },
    tlsKey: { value: text('FILE'), about: 'Its private key, PEM.' },
    tlsCa: { value: text('FILE'), about: 'The authority that clients are to trust, PEM. Without it, the public ones.' },
  },
  examples: [
    { line: 'tidegate gateway --data ./eu-1', about: 'On this machine, for a server on it' },
    {
      line: 'tidegate gateway --url https://tidegate.example.com --data /var/lib/tidegate-gateway --listen 0.0.0.0:7432 --advertise db.example.com:7432 --tls-cert cert.pem --tls-key key.pem < token-file',
      about: 'For everyone, on a machine of its own',
    },
  ],
  run: async (invocation, options) => {
    const env = withOptions(invocation.env, options)
    const url = await serverUrl(invocation)
    mayCarryToken(url, env)
    const dir = dataFolder(env)
    const settings = await readGatewaySettings(env)
    const enrolmentToken = await enrolmentTokenFor({ ...invocation, env }, dir)
    const running = await startGatewayHere({
      ...settings,
      url,
      dir,
      ...(enrolmentToken !== undefined && { enrolmentToken }),
      log: logTo(invocation),
      fetch: invocation.fetch,
    })
    invocation.out.note([bold('Gateway'), ` ${running.id} listens at ${hostPortText(running)}, for ${url}`])
    const lost = await Promise.race([stopRequested(invocation), running.lost])
    await running.stop()
    if (lost !== undefined) throw new Failure('failure', `The gateway cannot go on: ${lost}.`)
    return 'ok'
  },
})

type Options = Readonly<Partial<Record<keyof typeof gatewaySettingRows, string | undefined>>>

/** What is said on the command line goes before the environment. */
const withOptions = (env: Environment, options: Options): Environment => ({
  ...env,
  ...Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [gatewaySettingRows[name as keyof Options].env, value]),
  ),
})

function dataFolder(env: Environment): string {
  const dir = gatewaySetting(env, 'data')
  if (dir !== undefined) return dir
  throw new Failure('usage', 'The gateway has no data folder.', {
    remedy: `Say where its identity and its recordings are to be, with --data DIR or ${gatewaySettingRows.data.env}.`,
  })
}

const logTo =
  ({ stdout, now }: Invocation) =>
  (event: string, facts: Readonly<Record<string, unknown>>): void =>
    void stdout.write(`${jsonText({ time: formatInstant(now()), event, ...facts }, 0)}\n`)
