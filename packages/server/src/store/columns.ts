/** How columns are read, inserted and updated. */

import type { Instant } from '@tidegate/core'
import type { ColumnType } from 'kysely'

export type Time = ColumnType<Instant, Date, Date>
export type MaybeTime = ColumnType<Instant | null, Date | null, Date | null>
export type Json = ColumnType<unknown, string, string>
export type MaybeJson = ColumnType<unknown, string | null, string | null>
