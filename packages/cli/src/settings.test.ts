import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApiError } from '@tidegate/api'
import { describe, expect, it, onTestFinished } from 'vitest'
import { configPath, mayCarryToken, parseUrl } from './settings.ts'
import { startApiServer } from './testing/api-server.ts'
import { harness } from './testing/context.ts'
import { me, token } from './testing/things.ts'

async function whoamiServer() {
  const server = await startApiServer({
    whoami: (_input, { authorization }) => {
      if (authorization !== `Bearer ${token}`) throw new ApiError('unauthenticated')
      return me
    },
  })
  onTestFinished(server.close)
  return server
}

describe('login', () => {
  it('reads the token from stdin, checks it, and keeps it for its owner alone', async () => {
    const { url } = await whoamiServer()
    const { run, context, stdout } = await harness({ stdin: `${token}\n` })
    expect(await run('login', '--with-token', '--url', `${url}/`)).toBe(0)
    expect(stdout()).toContain('user:alice')
    const path = configPath(context)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ url, token })
    expect(await run('whoami')).toBe(0)
  })

  it('asks at a terminal without showing what is typed', async () => {
    const { url } = await whoamiServer()
    const { run, stderr, stdout } = await harness({ tty: true, stdin: `x\u007f${token}\r` })
    expect(await run('login', '--with-token', '--url', url)).toBe(0)
    expect(stderr()).toContain(`Token for ${url}:`)
    expect(stderr() + stdout()).not.toContain(token)
  })

  it('keeps nothing that the server does not know', async () => {
    const { url } = await whoamiServer()
    const { run, context, stderr } = await harness({ stdin: `tdg_${'b'.repeat(43)}` })
    expect(await run('login', '--with-token', '--url', url)).toBe(5)
    await expect(stat(configPath(context))).rejects.toThrow('ENOENT')
    expect(stderr()).not.toContain('bbbb')
  })

  it.each(['', 'two words', 'line\u0000', 'ümlaut', 'x'.repeat(513)])(
    'refuses %j as a token without repeating it',
    async (text) => {
      const { url } = await whoamiServer()
      const { run, stderr } = await harness({ stdin: text })
      expect(await run('login', '--with-token', '--url', url)).not.toBe(0)
      if (text !== '') expect(stderr()).not.toContain(text)
    },
  )

  it('is undone by logout', async () => {
    const { url } = await whoamiServer()
    const { run, context } = await harness({ stdin: token })
    await run('login', '--with-token', '--url', url)
    expect(await run('logout')).toBe(0)
    await expect(stat(configPath(context))).rejects.toThrow('ENOENT')
    expect(await run('whoami')).toBe(5)
    expect(await run('logout')).toBe(0)
  })
})

describe('the token that is kept', () => {
  it('goes to the server it was kept for and to no other', async () => {
    const [mine, other] = [await whoamiServer(), await whoamiServer()]
    const { run } = await harness({ stdin: token })
    await run('login', '--with-token', '--url', mine.url)
    expect(await run('whoami', '--url', other.url)).toBe(5)
    expect(other.calls).toEqual([])
    expect(await run('whoami', '--url', mine.url)).toBe(0)
  })

  it.each([0o640, 0o604, 0o660])('is refused where others may read or write it: %o', async (mode) => {
    const { url } = await whoamiServer()
    const { run, context, stderr } = await harness({ stdin: token })
    await run('login', '--with-token', '--url', url)
    await chmod(configPath(context), mode)
    expect(await run('whoami')).toBe(1)
    expect(stderr()).toContain('chmod 600')
    expect(stderr()).not.toContain(token)
  })

  it('is refused where a link leads to something others may read', async () => {
    const { run, context, home } = await harness()
    await mkdir(dirname(configPath(context)), { recursive: true })
    await writeFile(join(home, 'open.json'), JSON.stringify({ url: 'http://127.0.0.1:1', token }), { mode: 0o644 })
    await symlink(join(home, 'open.json'), configPath(context))
    expect(await run('whoami')).toBe(1)
  })

  it('is not guessed at where the file is damaged', async () => {
    const { run, context, stderr } = await harness()
    await mkdir(dirname(configPath(context)), { recursive: true })
    await writeFile(configPath(context), `{"token":"${token}"`, { mode: 0o600 })
    expect(await run('whoami')).toBe(1)
    expect(stderr()).not.toContain(token)
  })

  it('follows XDG_CONFIG_HOME, unless that is a relative path', () => {
    expect(configPath({ env: { XDG_CONFIG_HOME: '/x' }, home: '/h' })).toBe('/x/tidegate/config.json')
    expect(configPath({ env: { XDG_CONFIG_HOME: 'x' }, home: '/h' })).toBe('/h/.config/tidegate/config.json')
  })
})

describe('a token over plain HTTP', () => {
  it.each(['http://127.0.0.1:7070', 'http://127.9.9.9', 'http://localhost', 'http://[::1]:80', 'https://example.com'])(
    'is sent to %s',
    (url) => {
      expect(() => mayCarryToken(url, {})).not.toThrow()
    },
  )

  it.each([
    'http://example.com',
    'http://10.0.0.1',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://[::2]',
    'http://0.0.0.0',
  ])('is not sent to %s, unless TIDEGATE_INSECURE=1', (url) => {
    expect(() => mayCarryToken(url, {})).toThrow('not encrypted')
    expect(() => mayCarryToken(url, { TIDEGATE_INSECURE: 'yes' })).toThrow('not encrypted')
    expect(() => mayCarryToken(url, { TIDEGATE_INSECURE: '1' })).not.toThrow()
  })

  it('is refused before anything is sent', async () => {
    const { run, stderr } = await harness({ env: { TIDEGATE_TOKEN: token, TIDEGATE_URL: 'http://tidegate.invalid' } })
    expect(await run('whoami')).toBe(2)
    expect(stderr()).toContain('not encrypted')
  })
})

it('knows an address of a server by its form', () => {
  expect(parseUrl('https://Example.com/path///')).toBe('https://example.com/path')
  for (const text of ['', 'example.com', 'file:///x', 'https://u@x', 'https://x?q', 'https://x#f']) {
    expect(() => parseUrl(text), text).toThrow('address')
  }
})
