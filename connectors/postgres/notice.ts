/** What an operator should know. */
export interface Notice {
  readonly code: string
  /** Without values of rows. */
  readonly message: string
  /** `warn` where something has to be done before it becomes a failure. Default: `info`, nothing has to be done. */
  readonly level?: 'info' | 'warn'
}

export type OnNotice = (notice: Notice) => void
