/**
 * What follows an error:
 * - `retry`: the world may change (an outage, a lock); the same thing may be tried again
 * - `dead-letter`: this record is bad, others are not
 * - `stop`: the declaration, the environment or an invariant is broken; a person has to act
 */
export type Fate = 'retry' | 'dead-letter' | 'stop'

export interface CatalogueEntry {
  readonly fate: Fate
  /** The exit code of a command that ends with this error: 1 runtime, 2 declaration invalid, 3 environment missing. */
  readonly exitCode: 1 | 2 | 3
  readonly meaning: string
  readonly normalWhen: string
  readonly whatToDo: string
}

/** Every error this project raises on purpose. `docs/reference/errors.md` is generated from it. */
export const CATALOGUE = {
  'declaration-invalid': {
    fate: 'stop',
    exitCode: 2,
    meaning: 'tributary.yaml does not say something that can be run.',
    normalWhen: 'while a pipeline is being written',
    whatToDo: 'Correct the line that the message names; `tributary validate` lists every problem at once.',
  },
  'environment-missing': {
    fate: 'stop',
    exitCode: 3,
    meaning:
      'A program, an address, a secret or a certificate that this command needs is not there, or cannot be read.',
    normalWhen: 'on a new machine',
    whatToDo: 'Install or set what the message names.',
  },
  'invariant-broken': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'Something that the code relies on is not so: a defect of tributary.',
    normalWhen: 'never',
    whatToDo: 'Keep the message and the log, and report it. The process has stopped before it did harm.',
  },
  'kafka-unreachable': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'No Kafka broker answers.',
    normalWhen: 'while the cluster restarts',
    whatToDo: 'Check kafka.brokers in tributary.yaml and that the brokers run.',
  },
  'kafka-unsuitable': {
    fate: 'stop',
    exitCode: 1,
    meaning:
      'The Kafka brokers refuse the user, the password, a right or our certificate, or theirs cannot be trusted, or only one side speaks TLS.',
    normalWhen: 'when a cluster is set up, or a password or certificate has changed',
    whatToDo:
      'Correct kafka.tls and kafka.sasl in tributary.yaml, or the rights or the certificate at the brokers, as the message says.',
  },
  'fetch-gap': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'Records of a partition would have been skipped after a rebalance.',
    normalWhen: 'rarely, when partitions move between brokers',
    whatToDo: 'Nothing: the consumer starts again from its committed offsets.',
  },
  'publish-failed': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'A batch of deltas could not be published, or it is not known whether it was.',
    normalWhen: 'while the cluster restarts',
    whatToDo: 'Nothing: capture starts again from the last settled position. Check the brokers when it repeats.',
  },
  'transform-refused': {
    fate: 'dead-letter',
    exitCode: 1,
    meaning: 'A transform of a mapping cannot make the value of a destination field.',
    normalWhen: 'when a source holds values that the mapping did not expect',
    whatToDo:
      'Correct the mapping or the row at the source. The next change of the key, or a replay, ends the dead letter.',
  },
  'topic-missing': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'A topic that this process needs does not exist, or has other settings than the declaration asks for.',
    normalWhen: 'before the first `tributary provision`',
    whatToDo: 'Run `tributary provision`.',
  },
  'topic-out-of-order': {
    fate: 'stop',
    exitCode: 1,
    meaning:
      'On the topic of an entity, the last record of a key is not its newest version, or a record cannot be read: `tributary verify` says which.',
    normalWhen: 'never, but for a moment while a capture process takes over',
    whatToDo:
      'Run it again. What remains: change these rows at the source, as the next change of a key repairs it; find out what else writes to the topic; report it.',
  },
  'registry-unreachable': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'The schema registry does not answer.',
    normalWhen: 'while the registry restarts',
    whatToDo: 'Check registry.url in tributary.yaml and that the registry runs.',
  },
  'prometheus-unreachable': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'Prometheus does not answer, or something else does at its address.',
    normalWhen: 'while Prometheus restarts',
    whatToDo: 'Check --prometheus, or TRIBUTARY_PROMETHEUS_URL, and that Prometheus runs.',
  },
  'registry-unsuitable': {
    fate: 'stop',
    exitCode: 1,
    meaning:
      'The schema registry refuses the user, the password, the token or our certificate, or its own cannot be trusted, or only one side speaks TLS.',
    normalWhen: 'when a registry is set up, or a password or certificate has changed',
    whatToDo:
      'Correct `registry` in tributary.yaml, or the rights or the certificate at the registry, as the message says.',
  },
  'schema-not-registered': {
    fate: 'stop',
    exitCode: 1,
    meaning: "An entity's schema is not in the registry. Producers never register one on their own.",
    normalWhen: 'after an entity was changed and before `tributary provision`',
    whatToDo: 'Run `tributary provision`.',
  },
  'schema-incompatible': {
    fate: 'stop',
    exitCode: 2,
    meaning: 'An entity was changed so that old and new records could not be read side by side.',
    normalWhen: 'while an entity is being changed',
    whatToDo: 'Undo the change of the field that the message names, or give the field a new name.',
  },
  'record-corrupt': {
    fate: 'dead-letter',
    exitCode: 1,
    meaning: 'A record on a topic is not a delta that can be read.',
    normalWhen: 'when something else writes to the topic',
    whatToDo: 'Look at the dead letter; find who wrote it. The next change of the key repairs the subscriber.',
  },
  'value-unencodable': {
    fate: 'dead-letter',
    exitCode: 1,
    meaning: 'A value at the source does not fit the type declared for its field.',
    normalWhen: 'when data is wider than its declaration',
    whatToDo: 'Correct the value at the source, or declare a wider type (numeric instead of decimal).',
  },
  'blob-store-unreachable': {
    fate: 'retry',
    exitCode: 1,
    meaning:
      'The store of large values does not answer, has no room, or refuses us. A source waits with its change; a subscriber waits with its patch.',
    normalWhen: 'while the store restarts',
    whatToDo: 'Check `blobs` in tributary.yaml, that the store runs and has room, and our rights there.',
  },
  'blob-missing': {
    fate: 'dead-letter',
    exitCode: 1,
    meaning: 'A record refers to a large value that the store does not have.',
    normalWhen: 'never; when someone removed it from the store, or the store was restored from an older copy',
    whatToDo:
      'Put the object back from a backup under the name that the message gives and replay the dead letter, or change the row at the source: the large value is stored anew.',
  },
  'blob-corrupt': {
    fate: 'dead-letter',
    exitCode: 1,
    meaning: 'What the store holds under the name of a large value is not that value.',
    normalWhen: 'never',
    whatToDo:
      'Look after the store. Remove the object that the message names and change the row at the source: the large value is stored anew.',
  },
  'ledger-unreachable': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'Redis does not answer. Nothing is sent to the subscriber until it does.',
    normalWhen: 'while Redis restarts',
    whatToDo: 'Check redis.url in tributary.yaml and that Redis runs.',
  },
  'ledger-unsuitable': {
    fate: 'stop',
    exitCode: 1,
    meaning:
      'Redis refuses the user, the password, a right that the ledger needs or our certificate, or its own cannot be trusted, or only one side speaks TLS.',
    normalWhen: 'when Redis is set up, or a password or certificate has changed',
    whatToDo:
      'Correct `redis` in tributary.yaml, or the rights (ACL) or the certificate at Redis, as the message says.',
  },
  'source-unreachable': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'The source system does not answer, or the connection broke.',
    normalWhen: 'while the source restarts',
    whatToDo: "Check the source's address in tributary.yaml and that it runs.",
  },
  'source-unsuitable': {
    fate: 'stop',
    exitCode: 1,
    meaning:
      'The source cannot be captured as declared: a setting, a right, a table, a column or a key is missing, or its certificate is refused.',
    normalWhen: 'when a source is set up',
    whatToDo: 'Do what the message says at the source.',
  },
  'slot-in-use': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'Another process reads from the replication slot of this source.',
    normalWhen: 'for some seconds after a capture process was killed, and always for a standby',
    whatToDo:
      'There is one capture process a source. Stop the other, whose server process the message names, or leave this one waiting: it takes over when the slot is free.',
  },
  'request-unanswered': {
    fate: 'retry',
    exitCode: 1,
    meaning:
      'A request was written to the log of a source, and no capture process has carried it out within the time given.',
    normalWhen: 'while capture is stopped, starts, or is far behind in its log',
    whatToDo:
      'Look at `tributary status`: the request is kept in the log and is carried out when capture comes to it. Do not send it again; look at the result later.',
  },
  'filter-invalid': {
    fate: 'stop',
    exitCode: 2,
    meaning: 'A row filter does not name a field of its entity, or its value is none of the type of the field.',
    normalWhen: 'while a snapshot of some rows is being asked for',
    whatToDo: 'Write it as the message says, such as `country=NL`, and ask again. Capture goes on without it.',
  },
  'dead-letter-missing': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'There is no open dead letter of this key.',
    normalWhen: 'when the row was corrected meanwhile, or the key was written otherwise',
    whatToDo: 'List those there are: `tributary dlq list`.',
  },
  'command-unanswered': {
    fate: 'retry',
    exitCode: 1,
    meaning:
      'A command for a subscriber is on its commands topic, and no delivery process has carried it out within the time given.',
    normalWhen: 'while delivery is stopped, starts, or waits for the subscriber',
    whatToDo:
      'Look at `tributary status` and start `tributary deliver <subscriber>`: commands are kept for seven days and are carried out when it comes to them. Do not send them again; look at the result later.',
  },
  'command-failed': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'A command for a subscriber was carried out, and what it asked for failed: the dead letter stays.',
    normalWhen: 'when dead letters are replayed before their cause is mended',
    whatToDo:
      'Mend what the codes say, at the source, in the mapping or at the subscriber, and run it again. `tributary dlq show` has the difference.',
  },
  'record-missing': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'The topic of an entity has no record of a key.',
    normalWhen: 'when the key is written otherwise, or the row was deleted longer ago than deletes are kept',
    whatToDo: 'Write the key as it is in the topic: the text of its one field, or a JSON array of texts.',
  },
  'group-active': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'The offsets of a subscriber cannot be set, because processes deliver to it.',
    normalWhen: 'when delivery was not stopped before, or was killed a moment ago',
    whatToDo: 'Stop every `tributary deliver` of this subscriber, or `tributary run`, and run the command again.',
  },
  'history-lost': {
    fate: 'retry',
    exitCode: 1,
    meaning:
      "The source's history cannot be continued (its slot is gone, or the server is another one or was set back), so changes may be missing.",
    normalWhen: 'after a failover or a restore, and when a slot was dropped or outran its limit of log',
    whatToDo:
      'Nothing where `onLostHistory` is `resnapshot`: a new epoch begins by itself. Where it is `hold`: look at the source, then run `tributary recover <source>`.',
  },
  'position-corrupt': {
    fate: 'stop',
    exitCode: 1,
    meaning: "A source's record in the positions topic cannot be read, so it is not known where to go on.",
    normalWhen: 'when something else wrote to the positions topic',
    whatToDo:
      'Write the last good value of that key to the topic again: it is an earlier record of the topic, while compaction has not removed it. Nothing was captured meanwhile, and the slot keeps the changes.',
  },
  'table-altered': {
    fate: 'retry',
    exitCode: 1,
    meaning:
      'A captured table was altered in a way that the log does not tell whole: renamed, made anew, a column or its type changed, or how its rows are identified.',
    normalWhen: 'after a migration of the source that was not rolled out in the order that docs/sources describes',
    whatToDo:
      'Nothing, when the table fits the declaration: its entity is snapshotted again by itself. Else capture stops with `source-unsuitable`, which says what to change.',
  },
  'destination-unreachable': {
    fate: 'retry',
    exitCode: 1,
    meaning: 'The subscriber does not answer, or the connection broke.',
    normalWhen: 'while the subscriber restarts',
    whatToDo: "Check the subscriber's address in tributary.yaml and that it runs.",
  },
  'destination-unsuitable': {
    fate: 'stop',
    exitCode: 1,
    meaning:
      'The subscriber cannot take the changes as declared: a table, a column or a right is missing, or its certificate is refused.',
    normalWhen: 'before the first `tributary provision`',
    whatToDo: 'Run `tributary provision`, or do what the message says at the subscriber.',
  },
  'destination-rejected': {
    fate: 'dead-letter',
    exitCode: 1,
    meaning: 'The subscriber refuses this one change and would refuse it again.',
    normalWhen: "when a value breaks one of the subscriber's own rules",
    whatToDo: "Look at the dead letter; correct the value at the source or the subscriber's rule.",
  },
  'stack-locked': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'Another local stack runs in this data folder.',
    normalWhen: 'when a stack was started before and not stopped',
    whatToDo: 'Use that stack (`tributary stack status`), stop it, or choose another folder with TRIBUTARY_DATA_DIR.',
  },
  'stack-failed': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'A server of the local stack did not start, or a request concerns a server that the stack does not run.',
    normalWhen: 'when a configured port is taken or the disk is full',
    whatToDo: "Read the end of the server's log, which the message quotes; `tributary stack logs` shows more.",
  },
  'download-failed': {
    fate: 'stop',
    exitCode: 1,
    meaning: 'Maven could not fetch the servers of the local stack.',
    normalWhen: 'without a network, at the first start',
    whatToDo: 'Check the network and start again: what has arrived is kept.',
  },
} as const satisfies Record<string, CatalogueEntry>

export type ErrorCode = keyof typeof CATALOGUE

/** An error with a code of the catalogue. Its message says what is wrong and what to do, without personal data or secrets. */
export class TributaryError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'TributaryError'
    this.code = code
  }

  get fate(): Fate {
    return CATALOGUE[this.code].fate
  }

  get exitCode(): 1 | 2 | 3 {
    return CATALOGUE[this.code].exitCode
  }
}

/** A field's value that cannot be encoded: `value-unencodable` with its field, and the reason alone. Neither holds the value. */
export class UnencodableValue extends TributaryError {
  readonly field: string
  readonly reason: string

  constructor(field: string, reason: string, message: string) {
    super('value-unencodable', message, { cause: new Error(reason) })
    this.field = field
    this.reason = reason
  }
}

/** The fate of anything that was thrown. What is not ours is a defect, so it stops. */
export function fateOf(error: unknown): Fate {
  return error instanceof TributaryError ? error.fate : 'stop'
}

/** The code that Node (`ECONNREFUSED`) or a driver (an SQLSTATE) gave an error; undefined without one. */
export function systemCode(error: unknown): string | undefined {
  // A DOMException has a number there, which says nothing.
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
