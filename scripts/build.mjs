/**
 * Builds every package into its `dist/`, in the order of the arrows: `npm run build`, or `npm run build -- core api`.
 * Only what is published needs this; in a clone the `source` condition leads to the TypeScript itself.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
// The workspaces are listed so that each stands after what it imports.
const order = workspaces().map((folder) => folder.replace('packages/', ''))
const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
const compiler = join(dirname(typescript), 'bin', 'tsc')

/** What stands beside the code for tests alone. */
const forTests = ['**/*.test.ts', '**/testing/**', '**/__snapshots__/**', '**/fixtures/**']
const isForTests = (path) => /\.test\.ts$|(^|\/)(testing|__snapshots__|fixtures)(\/|$)/.test(path.replaceAll('\\', '/'))

function workspaces() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces
}

function build(name) {
  const folder = join(root, 'packages', name)
  const dist = join(folder, 'dist')
  rmSync(dist, { recursive: true, force: true })
  if (!compile(name, folder)) return false
  copyAssets(join(folder, 'src'), dist)
  if (name === 'cli') copyExamples(folder)
  console.log(`built ${name}`)
  return true
}

/** The configuration differs per package in its paths alone, so it is written here and kept nowhere. */
function compile(name, folder) {
  const cache = join(root, 'node_modules', '.cache', 'tidegate-build')
  const project = join(cache, `${name}.json`)
  mkdirSync(cache, { recursive: true })
  const config = {
    extends: join(root, 'tsconfig.base.json'),
    // No `source` condition: siblings are seen as an installed package sees them, through their built declarations.
    compilerOptions: {
      rootDir: join(folder, 'src'),
      outDir: join(folder, 'dist'),
      declaration: true,
      noEmitOnError: true,
    },
    include: [join(folder, 'src')],
    exclude: forTests.map((pattern) => join(folder, 'src', pattern)),
  }
  writeFileSync(project, JSON.stringify(config))
  return spawnSync(process.execPath, [compiler, '-p', project], { stdio: 'inherit', cwd: root }).status === 0
}

/** SQL and the like, read at run time from beside the code. */
function copyAssets(source, target) {
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(source.length + 1)
    if (!entry.isFile() || path.endsWith('.ts') || isForTests(path)) continue
    cpSync(join(source, path), join(target, path))
  }
}

function copyExamples(folder) {
  const target = join(folder, 'examples')
  rmSync(target, { recursive: true, force: true })
  if (existsSync(join(root, 'examples'))) cpSync(join(root, 'examples'), target, { recursive: true })
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !order.includes(name))
if (unknown.length > 0) {
  console.error(`There is no package ${unknown.join(', ')}; there are ${order.join(', ')}.`)
  process.exitCode = 1
} else {
  // The first failure ends it: what comes after would be built on what is not there.
  const built = order.filter((name) => asked.length === 0 || asked.includes(name)).every(build)
  if (!built) process.exitCode = 1
}
