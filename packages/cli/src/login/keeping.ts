/** Where a login is kept: in the keychain of the system where there is one, else in a file that only its owner reads. */

import { rm } from 'node:fs/promises'
import type { Context } from '../context.ts'
import { findProgram } from '../access/child.ts'
import { Failure } from '../failure.ts'
import { readPrivateFile, writePrivateFile } from '../private-file.ts'
import { loginPath } from '../settings.ts'
import { runQuietly } from './quiet-program.ts'

export type KeepingPlace = 'file' | 'keychain'

export type Keeper = {
  readonly place: KeepingPlace
  /** For people. */
  readonly name: string
  /** `undefined`: there is nothing. */
  readonly read: () => Promise<string | undefined>
  readonly write: (text: string) => Promise<void>
  readonly remove: () => Promise<void>
}

export const fileKeeper = (places: Pick<Context, 'env' | 'home'>): Keeper => {
  const path = loginPath(places)
  return {
    place: 'file',
    name: path,
    read: () => readPrivateFile(path),
    write: (text) => writePrivateFile(path, text),
    remove: () => rm(path, { force: true }),
  }
}

/** What a keychain is told: the secret by stdin, never in an argument list, which everyone on the machine reads. */
type Dialect = {
  readonly name: string
  readonly program: string
  readonly read: (url: string) => readonly string[]
  readonly write: (url: string, secret: string) => { readonly args: readonly string[]; readonly stdin: string }
  readonly remove: (url: string) => readonly string[]
}

const service = 'tidegate'

const secretService: Dialect = {
  name: 'the keychain of the desktop (secret-tool)',
  program: 'secret-tool',
  read: (url) => ['lookup', 'service', service, 'url', url],
  write: (url, secret) => ({
    args: ['store', `--label=Tidegate at ${url}`, 'service', service, 'url', url],
    stdin: secret,
  }),
  remove: (url) => ['clear', 'service', service, 'url', url],
}

const macKeychain: Dialect = {
  name: 'the keychain of macOS',
  program: 'security',
  read: (url) => ['find-generic-password', '-s', service, '-a', url, '-w'],
  // Words of its own shell: neither an address nor base64url has anything that it would take for its own.
  write: (url, secret) => ({
    args: ['-i'],
    stdin: `add-generic-password -U -s ${service} -a ${url} -w ${secret}\n`,
  }),
  remove: (url) => ['delete-generic-password', '-s', service, '-a', url],
}

/** `undefined`: there is none here, or the environment says to leave it alone. */
export async function findKeychain(context: Context, url: string): Promise<Keeper | undefined> {
  const { env } = context
  if (env['TIDEGATE_KEYCHAIN'] === 'none') return undefined
  const dialect = dialectOf(context)
  const program = dialect && (await findProgram(dialect.program, env['PATH']))
  return dialect && program !== undefined ? keychainKeeper(context, { url, dialect, program }) : undefined
}

/** Without a bus of the session nobody answers for the desktop's keychain. */
function dialectOf({ env, platform }: Context): Dialect | undefined {
  if (platform === 'darwin') return macKeychain
  return platform === 'linux' && env['DBUS_SESSION_BUS_ADDRESS'] ? secretService : undefined
}

type Using = { readonly url: string; readonly dialect: Dialect; readonly program: string }

function keychainKeeper(context: Context, { url, dialect, program }: Using): Keeper {
  const run = (args: readonly string[], stdin = '') => runQuietly(context, { program, args, stdin })
  return {
    place: 'keychain',
    name: dialect.name,
    async read() {
      const { code, stdout } = await run(dialect.read(url))
      const text = Buffer.from(stdout.trim(), 'base64url').toString('utf8')
      return code === 0 && text !== '' ? text : undefined
    },
    async write(text) {
      const { args, stdin } = dialect.write(url, Buffer.from(text).toString('base64url'))
      const { code } = await run(args, stdin)
      if (code !== 0)
        throw new Failure('failure', `${dialect.name} does not take what it is given.`, {
          remedy: 'Unlock it, or set TIDEGATE_KEYCHAIN=none to keep logins in a file.',
        })
    },
    async remove() {
      await run(dialect.remove(url))
    },
  }
}
