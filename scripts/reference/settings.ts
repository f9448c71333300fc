/** docs/reference/settings.md */

import type { SettingRow } from '@tidegate/server'
import { settingRows } from '@tidegate/server'
import { code, generatedFrom, page, table } from './markdown.ts'

export const settingsPage = (): string =>
  page(
    generatedFrom('packages/server/src/settings/settings.ts'),
    '# Settings',
    [
      'How one server process runs. Each setting is read from the environment, else from the file that',
      '`tidegate server --config` names, else it is the default. Those with no name in the file hold secrets: they come',
      'from the environment only. A name that is not here, a half of a pair, and a value that does not read stop the start.',
    ].join('\n'),
    table(
      ['environment', 'in the file', 'default', 'what it is'],
      Object.values<SettingRow>(settingRows).map(settingRow),
    ),
    [
      'An empty variable counts as unset; a name in the file without a value is refused. Durations are written `30s`, `5m`,',
      '`1h` or as ISO 8601. Who may do what is not set here: that is [configuration](../guides/configuration.md).',
    ].join('\n'),
  )

const settingRow = ({ env, file, default: standard, about }: SettingRow): string[] => [
  code(env),
  file === undefined ? '' : code(file),
  standard === undefined ? '' : code(standard),
  about,
]
