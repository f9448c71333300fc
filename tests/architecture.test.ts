/**
 * The shape of the house, held: which package may import which, and what may be written where.
 * A rule stands with its reason, which is what a failure prints.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, normalize, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

type Arrow = { readonly to: readonly string[]; readonly because: string }

/** Every package, with what it may import of ours. */
const arrows: Readonly<Record<string, Arrow>> = {
  core: { to: [], because: 'the domain is decided by its parameters alone, so that a decision can be replayed' },
  audit: { to: [], because: 'an auditor verifies a log with this package and nothing else of ours to trust' },
  api: { to: ['core'], because: 'the contract is all that a client of ours carries' },
  connectors: { to: ['core'], because: 'a connector knows its target, and neither how we store nor who calls' },
  gateway: { to: ['core', 'audit', 'api'], because: 'it stands in the path of sessions and holds none of our keys' },
  server: { to: ['core', 'audit', 'api', 'connectors'], because: 'nothing that ends sessions depends on who asks' },
  cli: {
    to: ['core', 'api', 'audit', 'server', 'gateway'],
    because: 'it is an ordinary client, that can also start the rest; of core it has the words for times and reasons',
  },
  console: { to: ['api'], because: 'the page is an ordinary client and has no privileges of its own' },
}

/** What is not written, and where. */
const banned: readonly { words: RegExp; in: (file: Source) => boolean; because: string }[] = [
  {
    words: /\bnew Date\(\s*\)|(?<!new )\bDate\(\s*\)|\bDate\.now\b/,
    in: (file) => file.package === 'core' && !file.forTests,
    because: 'core reads no clock: an instant is a parameter, so that expiry can be tested and replayed',
  },
  {
    words: /\bMath\.random\b/,
    in: (file) => file.package !== undefined,
    because: 'it can be guessed and not be replayed: randomness is a parameter, made with node:crypto',
  },
]

/** Notes to oneself, looked for in comments too. */
const unfinished: readonly { words: RegExp; because: string }[] = [
  { words: /\b(FIXME|XXX|HACK)\b/, because: 'what is wrong is put right, or is an issue' },
  { words: /\bTODO\b(?!: \S+ \S+ \S+)/, because: 'a TODO says what is to be done and why not now: `TODO: …`' },
]

/** The forms in which code names what it imports, with the name as it stands. */
const importing: readonly RegExp[] = [
  /^(?:import|export)\b[^'"`=(]*?\bfrom '([^']+)'/gm,
  /^import '([^']+)'/gm,
  /\bimport(?:\.meta\.resolve)?\('([^']+)'\)/g,
]

type Source = {
  readonly path: string
  /** Its folder in `packages/`; absent outside. */
  readonly package: string | undefined
  readonly forTests: boolean
  readonly text: string
  /** Without comments. */
  readonly code: string
  readonly imports: readonly string[]
}

type Manifest = {
  readonly name: string
  readonly version: string
  readonly exports?: Readonly<Record<string, { readonly source: string }>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

type Package = { readonly folder: string; readonly path: string; readonly manifest: Manifest }

const packages: readonly Package[] = readdirSync('packages').map((folder) => {
  const path = `packages/${folder}/package.json`
  return { folder, path, manifest: JSON.parse(readFileSync(path, 'utf8')) as Manifest }
})

const folderOf = new Map(packages.map(({ folder, manifest }) => [manifest.name, folder]))

const places = packages.flatMap(({ folder }) => [`packages/${folder}/src`, `packages/${folder}/bin`])

const sources: readonly Source[] = [...places, 'tests', 'scripts', 'bench', 'examples']
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`))
  .filter((path) => /\.(ts|js|mjs)$/.test(path))
  .map(readSource)

function readSource(path: string): Source {
  const text = readFileSync(path, 'utf8')
  const code = withoutComments(text)
  return {
    path,
    package: /^packages\/([^/]+)\//.exec(path)?.[1],
    forTests: /\.test\.ts$|\/testing\//.test(path),
    text,
    code,
    imports: importing.flatMap((form) => [...code.matchAll(form)].map((match) => match[1]!)),
  }
}

/** Block comments, and line comments that stand alone: enough for code that a formatter has been over. */
function withoutComments(text: string): string {
  return text.replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, '').replaceAll(/^\s*\/\/.*$/gm, '')
}

/** `@scope/name` or `name`; absent for relative imports and Node's own modules. */
const packageNamed = (specifier: string): string | undefined =>
  specifier.startsWith('.') || specifier.startsWith('node:')
    ? undefined
    : specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')

const productSources = (folder: string): Source[] => sources.filter((file) => file.package === folder && !file.forTests)

describe('packages', () => {
  test('stand in the table of arrows', () => {
    expect(packages.map(({ folder }) => folder).filter((folder) => !(folder in arrows))).toEqual([])
  })

  test.each(packages.map(({ folder }) => folder))('%s imports only what its arrows allow', (folder) => {
    const arrow = arrows[folder] ?? { to: [], because: 'it is not in the table of arrows' }
    const wrong = productSources(folder).flatMap(({ path, imports }) =>
      imports
        .map((specifier) => folderOf.get(packageNamed(specifier) ?? ''))
        .filter((to) => to !== undefined && !arrow.to.includes(to) && to !== folder)
        .map((to) => `${path} imports ${to}`),
    )
    expect(wrong, `${folder} may import ${arrow.to.join(', ') || 'nothing'} of ours: ${arrow.because}`).toEqual([])
  })

  test('audit imports only what Node brings', () => {
    const wrong = productSources('audit').flatMap(({ path, imports }) =>
      imports.filter((specifier) => !/^(\.|node:)/.test(specifier)).map((specifier) => `${path} imports ${specifier}`),
    )
    expect(wrong, 'a verifier is worth what it rests on: no dependencies').toEqual([])
  })

  test('are entered by name, never by path', () => {
    const wrong = sources
      .filter((file) => file.package !== undefined)
      .flatMap(({ path, imports, forTests, package: folder }) =>
        imports
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => relative('.', normalize(`${dirname(path)}/${specifier}`)))
          .filter((to) => !to.startsWith(`packages/${folder}/`) && !(forTests && to.startsWith('tests/support/')))
          .map((to) => `${path} imports ${to}`),
      )
    expect(wrong, 'a path around index.ts goes around the arrows, and is not there once installed').toEqual([])
  })

  test('say at the top of their public face what they are and what they trust', () => {
    const faces = packages.flatMap(({ folder, manifest }) =>
      Object.values(manifest.exports ?? {}).map(({ source }) => normalize(`packages/${folder}/${source}`)),
    )
    const silent = faces.filter((path) => !existsSync(path) || !readFileSync(path, 'utf8').startsWith('/**'))
    expect(silent, 'a reader starts there: a header comment comes first').toEqual([])
  })

  test.each(packages)('$folder declares exactly what it imports', ({ folder, manifest }) => {
    const required = { ...manifest.dependencies, ...manifest.peerDependencies }
    const declared = new Set(Object.keys({ ...required, ...manifest.optionalDependencies }))
    const imported = new Set(productSources(folder).flatMap(({ imports }) => imports.map(packageNamed)))
    imported.delete(undefined)
    // Only a clone runs its sources, and has it from the root; the published command runs `dist`.
    imported.delete('tsx')
    const missing = [...imported].filter((name) => !declared.has(name!))
    // Optional ones are found at run time, under names that are put together there.
    const idle = Object.keys(required).filter((name) => !imported.has(name))
    expect({ missing, idle }, 'workspaces hoist, so only an installed package would notice what is missing').toEqual({
      missing: [],
      idle: [],
    })
  })

  test('have one version, and name each other by it', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
    const wrong = packages.flatMap(({ path, manifest }) => [
      ...(manifest.version === version ? [] : [`${path} is ${manifest.version}`]),
      ...Object.entries(manifest.dependencies ?? {})
        .filter(([name, wanted]) => folderOf.has(name) && wanted !== version)
        .map(([name, wanted]) => `${path} wants ${name} ${wanted}`),
    ])
    expect(wrong, `they are released together, as ${version}`).toEqual([])
  })

  test('are built in the order in which the workspaces are listed', () => {
    const { workspaces } = JSON.parse(readFileSync('package.json', 'utf8')) as { workspaces: string[] }
    const order = workspaces.map((path) => path.replace('packages/', ''))
    const early = order.flatMap((folder, place) =>
      (arrows[folder]?.to ?? []).filter((to) => order.indexOf(to) > place).map((to) => `${folder} before ${to}`),
    )
    expect(early, 'npm run build takes them one after the other, each on what was built before').toEqual([])
    expect(order.toSorted()).toEqual(packages.map(({ folder }) => folder).toSorted())
  })
})

describe('code', () => {
  test.each(banned)('has no $words where that is banned', ({ words, in: concerns, because }) => {
    const wrong = sources.filter(concerns).flatMap((file) => lines(file, file.code, words))
    expect(wrong, because).toEqual([])
  })

  test.each(unfinished)('has no $words', ({ words, because }) => {
    const others = sources.filter(({ path }) => path !== 'tests/architecture.test.ts')
    expect(
      others.flatMap((file) => lines(file, file.text, words)),
      because,
    ).toEqual([])
  })
})

/** The lines that hold the words, as they stand. */
const lines = ({ path }: Source, text: string, words: RegExp): string[] =>
  text
    .split('\n')
    .filter((line) => words.test(line))
    .map((line) => `${path}: ${line.trim()}`)
