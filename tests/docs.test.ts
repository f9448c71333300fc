/** The docs, held to the code: generated pages are fresh, links lead somewhere, and what is shown runs. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { connectorKinds } from '@tidegate/connectors'
import { loadPolicies, policyAnnotations, signalKinds } from '@tidegate/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { flagOf } from '../packages/cli/src/command.ts'
import type { CommandEntry } from '../packages/cli/src/command.ts'
import { commands } from '../packages/cli/src/command-table.ts'
import { sessionRules } from '../packages/cli/src/gateway/session-rules.ts'
import { parseConfiguration } from '../packages/server/src/configuration/parse.ts'
import { configurationFile } from '../packages/server/src/configuration/schema.ts'
import { loadSettings } from '../packages/server/src/settings/settings.ts'
import { pages } from '../scripts/reference/pages.ts'

type Doc = { readonly path: string; readonly text: string }

const rules = await sessionRules()

const docs: readonly Doc[] = ['.', 'docs', 'examples', 'bench']
  .filter((folder) => existsSync(folder))
  .flatMap((folder) =>
    readdirSync(folder, { recursive: folder !== '.', encoding: 'utf8' }).map((path) => join(folder, path)),
  )
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path, text: readFileSync(path, 'utf8') }))

describe('generated pages', () => {
  test.each(pages)('$path says what the code says', ({ path, render }) => {
    expect(existsSync(path) ? readFileSync(path, 'utf8') : '', 'npm run generate').toBe(render())
  })
})

describe('links', () => {
  test.each(docs)('of $path lead to something', ({ path, text }) => {
    const dead = [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1]!)
      .filter((link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(path, link))
    expect(dead).toEqual([])
  })

  test('to a file or a heading that is not there are found', () => {
    expect(leadsSomewhere('docs/reference/states.md', '../reference/errors.md#own-request')).toBe(true)
    expect(leadsSomewhere('docs/reference/states.md', '#why-grants-end')).toBe(true)
    expect(leadsSomewhere('docs/reference/states.md', 'errors.md#no-such-code')).toBe(false)
    expect(leadsSomewhere('docs/reference/states.md', 'no-such-page.md')).toBe(false)
  })
})

describe('commands', () => {
  test.each(docs)('of $path are commands of ours, with options that they have', ({ text }) => {
    expect(commandsIn(text).flatMap(faultsOf)).toEqual([])
  })

  test('that the command line does not have, and options that a command does not have, are found', () => {
    const text = [
      'Run `tidegate request orders-db/readonly --for 1h`, or `npx tidegate nonsense`.',
      '```sh',
      '$ tidegate audit verify x --no-such',
      'A=b npx tidegate frobnicate  # does nothing',
      '   alice $ tidegate exec orders-db/writer --reason "a --quoted one" -- psql --no-align',
      '```',
    ].join('\n')
    expect(commandsIn(text)).toHaveLength(5)
    expect(commandsIn(text).flatMap(faultsOf)).toEqual([
      'tidegate nonsense is no command',
      'tidegate audit verify has no --no-such',
      'tidegate frobnicate is no command',
    ])
  })
})

describe('configuration', () => {
  const written = docs.filter(({ text }) => [...fenced(text, 'yaml'), ...fenced(text, 'cedar')].length > 0)

  test.each(written)('in $path is valid, all of the page together', ({ text }) => {
    expect(problemsOf(text)).toEqual([])
  })

  test('that is not valid is found', () => {
    expect(problemsOf('```yaml\nusers: [{ id: alice, manger: dora }]\n```')).toHaveLength(1)
    expect(problemsOf('```cedar\npermit (principal, action, resource);\n```')).toHaveLength(1)
  })

  test('has every field in its guide', () => {
    expect(missingFields('docs/guides/configuration.md', [configurationFile])).toEqual([])
  })

  test('of a PostgreSQL target has every field in its guide', () => {
    const { config, privileges } = connectorKinds.get('postgres')!
    expect(missingFields('docs/guides/postgres-target.md', [config, privileges])).toEqual([])
  })

  test('that policies are made of is all in their guide', () => {
    const text = read('docs/guides/policies.md')
    const fields = Object.entries(signalKinds).flatMap(([name, { fields }]) => [name, ...Object.keys(fields)])
    const annotations = Object.keys(policyAnnotations).map((name) => `@${name}(`)
    expect([...annotations, ...fields].filter((word) => !text.includes(word))).toEqual([])
  })

  test.each(docs.filter(({ text }) => fenced(text, 'yaml settings').length > 0))(
    'of a server in $path is one that starts',
    async ({ text }) => {
      const folder = mkdtempSync(join(tmpdir(), 'tidegate-docs-'))
      onTestFinished(() => rmSync(folder, { recursive: true }))
      for (const [i, block] of fenced(text, 'yaml settings').entries()) {
        const file = join(folder, `${i}.yaml`)
        writeFileSync(file, block)
        await loadSettings({}, file)
      }
    },
  )
})

describe('dependencies', () => {
  const manifests = ['.', ...readdirSync('packages').map((folder) => `packages/${folder}`)]
    .map((folder) => `${folder}/package.json`)
    .filter((path) => existsSync(path))
    .map((path) => JSON.parse(read(path)) as Record<string, Readonly<Record<string, string>> | undefined>)
  const declared = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'].flatMap((kind) =>
    manifests.flatMap((manifest) => Object.keys(manifest[kind] ?? {})),
  )

  test('each have a line that says why, and no line is about one that is gone', () => {
    const ours = (name: string): boolean => name.startsWith('@tidegate/')
    const explained = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| ./gm)].map((match) => match[1]!)
    expect(explained.toSorted()).toEqual([...new Set(declared.filter((name) => !ours(name)))].toSorted())
  })
})

describe('TypeScript marked `ts run`', () => {
  const blocks = docs.flatMap(({ path, text }) =>
    [...text.matchAll(/^```ts run\n([\s\S]*?)^```$/gm)].map((match, i) => ({
      name: `${path.replaceAll(/\W+/g, '-')}-${i + 1}`,
      code: match[1]!,
    })),
  )

  // Inside the workspace, so that its packages are found.
  const folder = resolve('node_modules/.cache/tidegate-docs')

  test.runIf(blocks.length > 0)('compiles, and runs to its end', () => {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const files = blocks.map(({ name }) => `${name}.ts`)
    const project = {
      extends: resolve('tsconfig.json'),
      compilerOptions: { noUnusedLocals: false },
      files,
      include: [],
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project))
    for (const { name, code } of blocks) writeFileSync(join(folder, `${name}.ts`), code)
    run(['node_modules/typescript/bin/tsc', '-p', folder])
    for (const file of files) run(['--conditions=source', '--import', 'tsx', join(folder, file)])
  })
})

function run(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  expect(status, `${args.join(' ')}\n${stdout}${stderr}`).toBe(0)
}

/** Without what only looks like a link. */
const prose = (text: string): string => text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '')

/** Its target is a file or folder, and has the heading or anchor that it names. */
function leadsSomewhere(from: string, link: string): boolean {
  const [file = '', anchor] = link.split('#')
  const target = file === '' ? from : join(dirname(from), file)
  if (!existsSync(target)) return false
  return anchor === undefined || !target.endsWith('.md') || anchors(readFileSync(target, 'utf8')).has(anchor)
}

function anchors(text: string): Set<string> {
  const named = [...text.matchAll(/<a id="([^"]+)">/g)].map((match) => match[1]!)
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map((match) => match[1]!)
  return new Set([...named, ...headings.map(slug)])
}

/** As the forge makes them of headings. */
const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')

function read(path: string): string {
  return readFileSync(path, 'utf8')
}

/** What stands after `tidegate` where it is a command: in backticks, or at the start of a line, after a prompt perhaps. */
function commandsIn(text: string): string[] {
  const form = /(?:`|^(?: *[\w-]* ?\$ | *(?:[A-Z_]+=\S* )*))(?:npx )?tidegate (?!is )([a-z][^`\n]*)/gm
  return [...text.matchAll(form)].map((match) => match[1]!.trim())
}

function faultsOf(line: string): string[] {
  const entry = commands
    .filter(({ name }) => `${line} `.startsWith(`${name.join(' ')} `))
    .toSorted((a, b) => b.name.length - a.name.length)[0]
  if (entry === undefined) return [`tidegate ${line.split(' ')[0]} is no command`]
  const known = optionsOf(entry)
  // What stands in quotes, after `--` or in a comment is not for us.
  const [own = ''] = line.replaceAll(/"[^"]*"|'[^']*'/g, 'quoted').split(/ -- | # /)
  const used = [...own.matchAll(/(?<= )(--?[a-zA-Z][\w-]*)/g)].map((match) => match[1]!)
  return used
    .filter((option) => !known.has(option))
    .map((option) => `tidegate ${entry.name.join(' ')} has no ${option}`)
}

const optionsOf = ({ options }: CommandEntry): ReadonlySet<string> =>
  new Set([
    '--url',
    '-o',
    '--output',
    '-h',
    '--help',
    ...Object.entries(options).flatMap(([name, { short }]) => [flagOf(name), ...(short === undefined ? [] : [short])]),
  ])

/** The blocks of exactly this language. */
function fenced(text: string, language: string): string[] {
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2]!)
}

/** A page with YAML is a configuration; one with policies alone may speak of groups that it does not make. */
function problemsOf(text: string): readonly unknown[] {
  const files = [
    ...fenced(text, 'yaml').map((block, i) => ({ path: `block-${i + 1}.yaml`, text: block })),
    ...fenced(text, 'cedar').map((block, i) => ({ path: `block-${i + 1}.cedar`, text: block })),
  ]
  if (fenced(text, 'yaml').length === 0) {
    const loaded = loadPolicies(files, { version: 'docs' })
    return loaded.ok ? [] : loaded.problems
  }
  const parsed = parseConfiguration(files, { version: 1, kinds: connectorKinds, sessionRules: rules })
  return parsed.ok ? [] : parsed.problems
}

/** Names of fields, at any depth, that a page does not have as a word of their own. */
function missingFields(path: string, schemas: readonly unknown[]): string[] {
  const text = read(path)
  return schemas
    .flatMap((schema) => fieldsOf(schema as Schema))
    .filter((name) => !new RegExp(`\\b${name}\\b`).test(text))
}

/** What zod keeps of a schema, as far as it leads to others. */
type Schema = {
  readonly def: {
    readonly shape?: Readonly<Record<string, Schema>>
    readonly element?: Schema
    readonly innerType?: Schema
    readonly in?: Schema
    readonly options?: readonly Schema[]
  }
}

function fieldsOf({ def: { shape = {}, element, innerType, in: input, options = [] } }: Schema): string[] {
  const within = [element, innerType, input, ...options].filter((one) => one !== undefined)
  const named = Object.entries(shape).flatMap(([name, field]) => [name, ...fieldsOf(field)])
  return [...named, ...within.flatMap(fieldsOf)]
}
