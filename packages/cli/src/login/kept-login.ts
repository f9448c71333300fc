/** A login of this command line: what it needs to be believed, and nothing that another program could use without its key. */

import { z } from 'zod'
import type { Context } from '../context.ts'
import { Failure } from '../failure.ts'
import type { KeptAt } from '../settings.ts'
import { forgetConfig, readConfig, saveConfig } from '../settings.ts'
import type { Keeper } from './keeping.ts'
import { fileKeeper, findKeychain } from './keeping.ts'

const shape = z.strictObject({
  /** The server, as it was signed in to. */
  url: z.string(),
  /** The login’s id there. */
  id: z.string(),
  tokenEndpoint: z.string(),
  refreshToken: z.string(),
  accessToken: z.string(),
  /** Milliseconds of our own clock. */
  accessEndsAt: z.number(),
  /** The private key that both tokens are bound to, as a JWK. */
  key: z.looseObject({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string(), d: z.string() }),
})

export type KeptLogin = Readonly<z.output<typeof shape>>

/** @property name where, for people */
export type Kept = { readonly name: string; readonly at: KeptAt }

export async function keepLogin(context: Context, login: KeptLogin): Promise<Kept> {
  const keeper = (await tryKeychain(context, login)) ?? (await keepInFile(context, login))
  const at = { url: login.url, login: { id: login.id, kept: keeper.place } }
  await saveConfig(context, at)
  return { name: keeper.name, at }
}

/** One that cannot be written, or does not give back what it was given, is none. */
async function tryKeychain(context: Context, login: KeptLogin): Promise<Keeper | undefined> {
  const keeper = await findKeychain(context, login.url)
  const text = JSON.stringify(login)
  try {
    await keeper?.write(text)
    return (await keeper?.read()) === text ? keeper : undefined
  } catch {
    return undefined
  }
}

async function keepInFile(context: Context, login: KeptLogin): Promise<Keeper> {
  const keeper = fileKeeper(context)
  await keeper.write(JSON.stringify(login))
  return keeper
}

/** @throws {Failure} where it is no longer where it was put */
export async function readLogin(context: Context, { url, login }: KeptAt): Promise<KeptLogin> {
  const keeper = await keeperOf(context, { url, login })
  const parsed = shape.safeParse(parseJson(await keeper?.read()))
  if (parsed.success && parsed.data.url === url && parsed.data.id === login.id) return parsed.data
  throw new Failure('unauthenticated', `The login at ${url} is not in ${keeper?.name ?? 'a keychain'} any more.`, {
    remedy: `Run \`tidegate login --url ${url}\`; unlock the keychain first, if there is one.`,
  })
}

/** What was got anew, to where the login is. */
export async function rewriteLogin(context: Context, login: KeptLogin, at: KeptAt): Promise<void> {
  await (await keeperOf(context, at))?.write(JSON.stringify(login))
}

/** @returns the login that was kept, where there was one */
export async function forgetLogin(context: Context): Promise<void> {
  const kept = await readConfig(context).catch(() => undefined)
  if (kept && 'login' in kept) await (await keeperOf(context, kept))?.remove()
  // Also what an earlier one left, wherever the configuration says it is.
  await fileKeeper(context).remove()
  await forgetConfig(context)
}

/** What the one before left where the one of now is not. */
export async function removeUnlessKept(context: Context, before: KeptAt): Promise<void> {
  const now = await readConfig(context)
  const isSamePlace =
    now &&
    'login' in now &&
    now.login.kept === before.login.kept &&
    (now.login.kept === 'file' || now.url === before.url)
  if (!isSamePlace) await (await keeperOf(context, before))?.remove()
}

const keeperOf = async (context: Context, { url, login }: KeptAt): Promise<Keeper | undefined> =>
  login.kept === 'file' ? fileKeeper(context) : findKeychain({ ...context, env: withKeychain(context) }, url)

/** What is in the keychain is looked for there, whatever new ones are to do. */
const withKeychain = ({ env }: Context): Context['env'] => ({ ...env, TIDEGATE_KEYCHAIN: undefined })

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
