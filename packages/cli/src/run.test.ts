import { ApiError, errors } from '@tidegate/api'
import type { ErrorCode } from '@tidegate/api'
import { describe, expect, it } from 'vitest'
import { flagOf } from './command.ts'
import { commands } from './command-table.ts'
import { exitCode, exitOfError, exits } from './exit-codes.ts'
import { buildProgram } from './run.ts'
import { connectionLost } from './testing/api-server.ts'
import { harness, harnessWithServer } from './testing/context.ts'
import { token } from './testing/things.ts'

/** As a shell would split it, as far as examples need. */
const words = (line: string): string[] =>
  [...line.replace(/ < .*/, '').matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')

describe('the command table', () => {
  it.each(commands.map((entry) => [entry.name.join(' '), entry] as const))(
    'parses the examples of %s',
    async (_name, entry) => {
      const { context } = await harness()
      expect(entry.examples.length).toBeGreaterThan(0)
      for (const { line } of entry.examples) {
        let acted = false
        const program = buildProgram(context, async (found, input) => {
          acted = true
          expect(found).toBe(entry)
          // The parser gives what the entry declares, all of it and nothing else: `defineCommand` relies on it.
          expect(Object.keys(input).toSorted()).toEqual(
            [...Object.keys(entry.arguments), ...Object.keys(entry.options)].toSorted(),
          )
        })
        await program.parseAsync(words(line).slice(1), { from: 'user' })
        expect(acted).toBe(true)
      }
    },
  )

  it('has defaults that it can read, and conflicts that there are', () => {
    for (const entry of commands) {
      for (const [name, option] of Object.entries(entry.options)) {
        if (option.default !== undefined) expect(option.value?.read(option.default), flagOf(name)).toBeDefined()
        for (const other of option.conflicts ?? []) expect(Object.keys(entry.options)).toContain(other)
      }
    }
  })

  it('shows each command in its help, with its examples', async () => {
    for (const entry of commands) {
      const { run, stdout } = await harness()
      expect(await run(...entry.name, '--help')).toBe(0)
      for (const { line } of entry.examples) expect(stdout()).toContain(line)
    }
  })
})

describe('a command line that is not valid', () => {
  it.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['request', 'orders-db/readonly', '--reason', 'x'], /required option '--for <DURATION>'/],
    [['request', 'orders-db', '--for', '1h', '--reason', 'x'], /RESOURCE\/ROLE/],
    [['request', 'a/b', '--for', '-5m', '--reason', 'x'], /positive duration/],
    [['request', 'a/b', '--for', '0s', '--reason', 'x'], /positive duration/],
    [['request', 'a/b', '--for', '1h', '--start', 'tomorrow', '--reason', 'x'], /RFC 3339/],
    [['request', 'a/b', '--for', '1h'], /needs a reason/],
    [['connect', 'a/b', '--keep', '--end'], /cannot be used with/],
    [['grants', '--limit', '0'], /whole number from 1/],
    [['exec', 'a/b', '--reason', 'x'], /missing required argument 'CMD'/],
    [['grants', '-o', 'xml'], /human, json/],
    [['signal', 'mood', 'user:alice', 'good=true'], /one of device/],
    [['grants', '--url', 'ftp://x'], /address of the server/],
    [['grants', '--url', 'https://user:pw@x'], /address of the server/],
  ])('exits with 2 and says why: %j', async (argv, message) => {
    const { run, stdout, stderr } = await harness({ env: { TIDEGATE_TOKEN: token } })
    expect(await run(...argv)).toBe(exits.usage.code)
    expect(stderr()).toMatch(message)
    expect(stdout()).toBe('')
  })

  it('gives its error as JSON where JSON is asked for, wherever that stands', async () => {
    const { run, stdout, stderr } = await harness()
    expect(await run('-o', 'json', 'request', 'a/b')).toBe(2)
    expect(JSON.parse(stderr())).toMatchObject({ code: 'usage', title: expect.stringContaining('--for') })
    expect(stdout()).toBe('')
  })

  it('never repeats a token that was put into the wrong place', async () => {
    for (const argv of [
      [token],
      ['login', token],
      ['grants', token],
      ['whoami', `--${token}`],
      ['grants', '--limit', token],
    ]) {
      const { run, stderr } = await harness()
      expect(await run(...argv)).toBe(2)
      expect(stderr()).not.toContain(token)
    }
  })
})

describe('an error of the server', () => {
  it.each(Object.keys(errors) as ErrorCode[])(
    '%s exits as the table says and is shown with what to do',
    async (code) => {
      const { run, stdout, stderr } = await harnessWithServer({
        listResources: () => {
          throw new ApiError(code, { detail: 'Because \u001b[31mof this.' })
        },
      })
      expect(await run('resources')).toBe(exitCode(exitOfError[code]))
      expect(stderr()).toContain('error: Because [31mof this.')
      expect(stderr().trim().split('\n').length).toBeGreaterThan(1)
      expect(stdout()).toBe('')
    },
  )

  it('is the problem object on the last line of stderr with --output json', async () => {
    const { run, stdout, stderr } = await harnessWithServer({
      whoami: () => {
        throw new ApiError('unauthenticated')
      },
    })
    expect(await run('whoami', '-o', 'json')).toBe(5)
    expect(JSON.parse(stderr().trim().split('\n').at(-1) ?? '')).toMatchObject({ code: 'unauthenticated', status: 401 })
    expect(stdout()).toBe('')
  })

  it('shows what is wrong with files as editors read it', async () => {
    const { run, stderr } = await harnessWithServer({
      whoami: () => {
        throw new ApiError('invalid-input', {
          problems: [
            { field: 'policies.cedar:12:3', message: 'unexpected token `permitt`', remedy: 'Write `permit`.' },
          ],
        })
      },
    })
    expect(await run('whoami')).toBe(2)
    expect(stderr()).toContain('  policies.cedar:12:3 unexpected token `permitt`\n    Write `permit`.')
  })

  it('is 7 where nothing answers, and names the address', async () => {
    const { run, stderr, server } = await harnessWithServer({})
    await server.close()
    expect(await run('whoami')).toBe(exits.unavailable.code)
    expect(stderr()).toContain(server.url)
    expect(stderr()).not.toContain(token)
  })

  it('is 7 where the connection breaks off', async () => {
    const { run } = await harnessWithServer({
      whoami: () => {
        throw connectionLost
      },
    })
    expect(await run('whoami')).toBe(7)
  })
})

it('says its version', async () => {
  const { run, stdout } = await harness()
  expect(await run('--version')).toBe(0)
  expect(stdout()).toBe('0.0.0-test\n')
})
