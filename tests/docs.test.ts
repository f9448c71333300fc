/** The docs, held to the code: generated pages are fresh, links lead somewhere, and what is shown runs. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { pages } from '../scripts/reference/pages.ts'

type Doc = { readonly path: string; readonly text: string }

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
  test('that the command line does not have are found', () => {
    const text =
      'Run `tidegate request orders-db/readonly`.\n\n```sh\n$ tidegate audit verify x\nnpx tidegate frobnicate\n```\n'
    expect(commandsIn(text)).toEqual(['request orders-db/readonly', 'audit verify x', 'frobnicate'])
    expect(unknownCommands(text, ['request', 'audit verify'])).toEqual(['frobnicate'])
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

/** What stands after `tidegate` where it is a command: in backticks, or at the start of a line of a shell block. */
const commandsIn = (text: string): string[] =>
  [...text.matchAll(/(?:`|^(?:\$ )?(?:npx )?)tidegate ([a-z][^`\n]*)/gm)].map((match) => match[1]!.trim())

/** Those that start with no known command, each as `words of it`. */
const unknownCommands = (text: string, known: readonly string[]): string[] =>
  commandsIn(text).filter((line) => !known.some((command) => `${line} `.startsWith(`${command} `)))
