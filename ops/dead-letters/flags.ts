export interface ListFlags {
  readonly json?: boolean
  readonly limit: number
  readonly showKeys?: boolean
}

export interface ShowFlags {
  readonly json?: boolean
  readonly showPersonal?: boolean
}
