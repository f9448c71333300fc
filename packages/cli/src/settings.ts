/**
 * Which server, as whom: from the command line, the environment, and what `tidegate login` wrote.
 *
 * A token goes only where it was meant to: one from the file, to the server it was verified with; and none over plain
 * HTTP to another machine.
 */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Context, Environment } from './context.ts'
import { Failure } from './failure.ts'
import { limits } from './limits.ts'
import { readPrivateFile, writePrivateFile } from './private-file.ts'

export const defaultUrl = 'http://127.0.0.1:7070'

type Places = Pick<Context, 'env' | 'home'>

export type ServerSettings = {
  /** Without a slash at its end. */
  readonly url: string
  readonly token: string
}

/** A login, and where what it needs is kept. */
export type KeptAt = {
  readonly url: string
  readonly login: { readonly id: string; readonly kept: 'file' | 'keychain' }
}

const config = z.union([
  z.strictObject({ url: z.string(), token: z.string() }),
  z.strictObject({
    url: z.string(),
    login: z.strictObject({ id: z.string(), kept: z.enum(['file', 'keychain']) }),
  }),
])

const configFolder = ({ env, home }: Places): string =>
  join(absolute(env['XDG_CONFIG_HOME']) ?? join(home, '.config'), 'tidegate')

export const configPath = (places: Places): string => join(configFolder(places), 'config.json')

/** What a login needs, where no keychain has it. */
export const loginPath = (places: Places): string => join(configFolder(places), 'login.json')

export const statePath = ({ env, home }: Places): string =>
  join(absolute(env['XDG_STATE_HOME']) ?? join(home, '.local', 'state'), 'tidegate')

/** The XDG base directory specification: a relative path is to be ignored. */
const absolute = (path: string | undefined): string | undefined => (path?.startsWith('/') === true ? path : undefined)

/** Where the server is; no token is involved. */
export async function serverUrl(places: Places & { readonly urlOption: string | undefined }): Promise<string> {
  const { env, urlOption } = places
  return parseUrl(urlOption ?? given(env['TIDEGATE_URL']) ?? (await readConfig(places))?.url ?? defaultUrl)
}

/** @throws {Failure} where there is no token and no login for this server, or nothing must be sent there */
export async function serverSettings(
  places: Places & { readonly urlOption: string | undefined },
): Promise<ServerSettings | KeptAt> {
  const { env } = places
  const url = await serverUrl(places)
  const token = given(env['TIDEGATE_TOKEN'])
  const kept = token === undefined ? await keptFor(places, url) : { url, token }
  if (kept === undefined) {
    throw new Failure('unauthenticated', `You are not logged in to ${url}.`, {
      remedy: `Run \`tidegate login --url ${url}\`, or set TIDEGATE_TOKEN.`,
    })
  }
  mayCarryToken(url, env)
  return 'token' in kept ? { url, token: checkToken(kept.token) } : kept
}

async function keptFor(places: Places, url: string): Promise<ServerSettings | KeptAt | undefined> {
  const kept = await readConfig(places)
  return kept !== undefined && parseUrl(kept.url) === url ? kept : undefined
}

/** What `tidegate login` kept last. @throws {Failure} where it is something else */
export async function readConfig(places: Places): Promise<ServerSettings | KeptAt | undefined> {
  const path = configPath(places)
  const text = await readPrivateFile(path)
  if (text === undefined) return undefined
  const parsed = config.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw new Failure('failure', `${path} is not what \`tidegate login\` writes.`, {
    remedy: 'Run `tidegate logout`, then `tidegate login`.',
  })
}

export const saveConfig = async (places: Places, kept: ServerSettings | KeptAt): Promise<void> =>
  writePrivateFile(configPath(places), `${JSON.stringify(kept, undefined, 2)}\n`)

export const forgetConfig = async (places: Places): Promise<void> => rm(configPath(places), { force: true })

/** A server's address: HTTP or HTTPS, with no user, password, query or fragment. */
export function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain = url !== undefined && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (!plain || !(url.protocol === 'https:' || url.protocol === 'http:')) {
    throw new Failure('usage', 'The address of the server is not one.', {
      remedy: 'Write https://HOST or https://HOST/PATH, with no user, query or fragment.',
    })
  }
  return url.href.replace(/\/+$/, '')
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** Whoever reads a plain connection on its way has the token. */
export function mayCarryToken(url: string, env: Environment): void {
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:' || loopback.test(hostname) || env['TIDEGATE_INSECURE'] === '1') return
  throw new Failure('usage', `A token is not sent to ${url}: the connection is not encrypted.`, {
    remedy: 'Use https://, or set TIDEGATE_INSECURE=1 where the network in between is trusted.',
  })
}

/** What cannot stand in a header would be quoted by whoever refuses it, so it is refused here, unquoted. */
export function checkToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token) && token.length <= limits.tokenLength) return token
  throw new Failure(
    'unauthenticated',
    'The token is not one: it is empty, too long, or holds a space or a character outside ASCII.',
    {
      remedy: 'Use the token as it was printed, `tdg_…`, and nothing else.',
    },
  )
}

/** An environment variable that is set to nothing is not set. */
const given = (value: string | undefined): string | undefined => (value === '' ? undefined : value)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
