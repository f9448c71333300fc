/** Where logins are kept. The keychain is a stand-in here that writes down how it is asked; by hand it was a real one. */

import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loginPath } from '../settings.ts'
import { harness } from '../testing/context.ts'
import { findKeychain } from './keeping.ts'
import { forgetLogin, keepLogin, readLogin } from './kept-login.ts'

const url = 'https://tidegate.example.com'

const login = {
  url,
  id: 'lgn_1',
  tokenEndpoint: `${url}/oauth/token`,
  refreshToken: `tdr_${'r'.repeat(43)}`,
  accessToken: `tda_${'a'.repeat(43)}`,
  accessEndsAt: 1,
  key: { kty: 'EC' as const, crv: 'P-256', x: 'x', y: 'y', d: 'the-private-part' },
}

/** What it is told to keep it keeps in a file; each call is a line of another. */
async function withKeychain(name: 'secret-tool' | 'security', body: string) {
  const made = await harness({ env: { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' } })
  const bin = join(made.home, 'bin')
  await mkdir(bin)
  const program = join(bin, name)
  await writeFile(
    program,
    `#!${process.execPath}
const fs = require('node:fs')
const [kept, calls] = ['${join(made.home, 'kept')}', '${join(made.home, 'calls')}']
const argv = process.argv.slice(2)
fs.appendFileSync(calls, JSON.stringify(argv) + '\\n')
const stdin = () => fs.readFileSync(0, 'utf8')
${body}
`,
  )
  await chmod(program, 0o755)
  const env = { ...made.context.env, PATH: `${bin}:${process.env['PATH']}` }
  const platform = name === 'security' ? ('darwin' as const) : ('linux' as const)
  const context = { ...made.context, env, platform }
  return { context, home: made.home, calls: () => readFile(join(made.home, 'calls'), 'utf8') }
}

const secretTool = `
if (argv[0] === 'store') fs.writeFileSync(kept, stdin())
else if (argv[0] === 'clear') fs.rmSync(kept)
else if (fs.existsSync(kept)) process.stdout.write(fs.readFileSync(kept, 'utf8'))
else process.exitCode = 1`

const security = `
if (argv[0] === '-i') fs.writeFileSync(kept, / -w (\\S+)\\n$/.exec(stdin())[1])
else if (argv[0] === 'delete-generic-password') fs.rmSync(kept)
else if (fs.existsSync(kept)) process.stdout.write(fs.readFileSync(kept, 'utf8') + '\\n')
else process.exitCode = 44`

const at = { url, login: { id: login.id, kept: 'keychain' } } as const

it.each([
  ['secret-tool', secretTool],
  ['security', security],
] as const)(
  '%s gets the login by stdin, and gives it back; its arguments and our files say nothing',
  async (name, body) => {
    const { context, home, calls } = await withKeychain(name, body)
    expect((await keepLogin(context, login)).name).toContain('keychain')
    expect(await readLogin(context, at)).toEqual(login)
    const said = (await calls()) + (await readFile(join(home, '.config/tidegate/config.json'), 'utf8'))
    const encoded = Buffer.from(JSON.stringify(login)).toString('base64url')
    for (const secret of [login.refreshToken, login.accessToken, login.key.d, encoded.slice(0, 40)])
      expect(said).not.toContain(secret)
    await expect(stat(loginPath(context))).rejects.toThrow('ENOENT')
    await forgetLogin(context)
    await expect(stat(join(home, 'kept'))).rejects.toThrow('ENOENT')
    await expect(readLogin(context, at)).rejects.toThrow('is not in the keychain')
  },
)

it.each([
  ['refuses', 'process.exitCode = 1'],
  ['keeps nothing', ''],
  ['gives back something else', "process.stdout.write('c29tZXRoaW5n')"],
])('a keychain that %s is none: the login is in a file of its owner alone', async (_what, body) => {
  const { context } = await withKeychain('secret-tool', body)
  expect((await keepLogin(context, login)).name).toBe(loginPath(context))
  expect((await stat(loginPath(context))).mode & 0o777).toBe(0o600)
  const inFile = { url, login: { id: login.id, kept: 'file' } } as const
  expect(await readLogin(context, inFile)).toEqual(login)
})

it('without a bus of the session, without the program, or where the environment says so there is no keychain', async () => {
  const { context, home } = await withKeychain('secret-tool', secretTool)
  const without = { ...context.env, DBUS_SESSION_BUS_ADDRESS: '' }
  expect(await findKeychain({ ...context, env: without }, url)).toBeUndefined()
  expect(await findKeychain({ ...context, env: { ...context.env, TIDEGATE_KEYCHAIN: 'none' } }, url)).toBeUndefined()
  await rm(join(home, 'bin'), { recursive: true })
  expect(await findKeychain({ ...context, env: { ...context.env, PATH: join(home, 'bin') } }, url)).toBeUndefined()
})

it('a login that was kept for another server, or another login, is not taken for this one', async () => {
  const { context } = await withKeychain('secret-tool', 'process.exitCode = 1')
  await keepLogin(context, login)
  const kept = { id: login.id, kept: 'file' } as const
  await expect(readLogin(context, { url: 'https://evil.example', login: kept })).rejects.toThrow('not in')
  await expect(readLogin(context, { url, login: { ...kept, id: 'lgn_2' } })).rejects.toThrow('not in')
})
