/** Every generated page: where it is, from the root of the workspace, and what it says. */

import { entriesPage } from './entries.ts'
import { renderReference } from '../../packages/cli/src/reference.ts'
import { errorsPage } from './errors.ts'
import { openApiFile } from './openapi.ts'
import { operationsPage } from './operations.ts'
import { settingsPage } from './settings.ts'
import { statesPage } from './states.ts'

export type Page = { readonly path: string; readonly render: () => string }

export const pages: readonly Page[] = [
  { path: 'docs/reference/openapi.json', render: openApiFile },
  { path: 'docs/reference/operations.md', render: operationsPage },
  { path: 'docs/reference/errors.md', render: errorsPage },
  { path: 'docs/reference/states.md', render: statesPage },
  { path: 'docs/reference/entries.md', render: entriesPage },
  { path: 'docs/reference/settings.md', render: settingsPage },
  { path: 'docs/reference/cli.md', render: renderReference },
]
