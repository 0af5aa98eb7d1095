// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import { describe, expect, it } from 'vitest'
import { type Case, changed, findings, PIPELINE, TYPES } from './pipelines.ts'

const LONG = 'x'.repeat(64)
const NAMES = '1 to 60 lower-case letters, digits or -, the first a letter'
const FRESHNESS = 'a duration such as `500ms`, `30s`, `15m`, `2h` or `7d`'
const SECOND_ENTITY = '  order-line:\n    source'
const LAST_LINE = '      order-line:\n'

const entity = (name: string) =>
  `  ${name}: { source: erp, table: t, key: k, owner: o, freshness: 1m, fields: { k: uuid } }\n${SECOND_ENTITY}`
const manyFields = (count: number) => Array.from({ length: count }, (_, index) => `f${index}: string`).join(', ')

const FORM: readonly Case[] = [
  {
    title: 'an unknown field names the nearest known one, and the missing one is told too',
    changes: [['owner: sales', 'ownr: sales']],
    found: [
      '12:3: entities.customer.owner: `owner` is missing; it must be the team or person who answers for this entity',
      '16:5: entities.customer.ownr: unknown field `ownr`; did you mean `owner`?',
    ],
  },
  {
    title: 'an unknown field with no near name lists the known ones',
    changes: [['url: ${ERP_URL}', 'url: ${ERP_URL}\n    colour: red']],
    found: [
      '11:5: sources.erp.colour: unknown field `colour`; known here: `type`, `url`, `slot`, `publication`, `heartbeat`, `walWarning`, `snapshot`, `onLostHistory`',
    ],
  },
  {
    title: 'heartbeats closer than a second, or further apart than a timer can wait, are refused',
    changes: [
      [
        'url: ${ERP_URL}',
        'url: ${ERP_URL}\n    heartbeat: 900ms\n  crm:\n    type: postgres\n    url: ${ERP_URL}\n    heartbeat: 25h',
      ],
    ],
    found: [
      '11:16: sources.erp.heartbeat: must be a duration from `1s` to `1d`, or `off`',
      '15:16: sources.crm.heartbeat: must be a duration from `1s` to `1d`, or `off`',
    ],
  },
  {
    title: 'a missing section says what belongs there',
    changes: [['redis: { url: redis://redis:6379 }\n', '']],
    found: [
      '1:1: redis: `redis` is missing; it must be a mapping of `url`, `username`, `password`, `ca`, `cert` and `key`',
    ],
  },
  {
    title: 'the pipeline has a name that fits topics',
    changes: [['name: acme', 'name: Acme Corp']],
    found: ['1:7: name: must be 1 to 40 lower-case letters, digits or -, the first a letter'],
  },
  {
    title: 'a number is no owner',
    changes: [['owner: sales', 'owner: 7']],
    found: ['16:12: entities.customer.owner: must be the team or person who answers for this entity, not a number'],
  },
  {
    title: 'a freshness has a unit',
    changes: [['freshness: 15m', 'freshness: 15']],
    found: [`17:16: entities.customer.freshness: must be ${FRESHNESS}, not a number`],
  },
  {
    title: 'a word out of a list is suggested',
    changes: [['owner: sales', 'class: criticle\n    owner: sales']],
    found: ['16:12: entities.customer.class: must be `critical` or `standard`; did you mean `critical`?'],
  },
  {
    title: 'partitions are within bounds',
    changes: [['owner: sales', 'partitions: 0\n    owner: sales']],
    found: ['16:17: entities.customer.partitions: must be a whole number from 1 to 1000'],
  },
  {
    title: 'an unknown type lists the known ones',
    changes: [['id: int64', 'id: int46']],
    found: [`19:11: entities.customer.fields.id: unknown type \`int46\`; known: ${TYPES}; did you mean \`int64\`?`],
  },
  {
    title: 'a decimal with more digits after the point than in all is told so',
    changes: [['extra: json', 'extra: decimal(2,3)']],
    found: ['21:14: entities.customer.fields.extra: decimal(2,3) needs 1 ≤ p ≤ 1000 and 0 ≤ s ≤ p'],
  },
  {
    title: 'a field without a type stands at its name',
    changes: [['extra: json', 'extra:']],
    found: ['21:7: entities.customer.fields.extra: must be a type, or a mapping with `type`, not empty'],
  },
  {
    title: "a field's own mapping is strict",
    changes: [['column: cust_name', 'colum: cust_name']],
    found: ['20:45: entities.customer.fields.name.colum: unknown field `colum`; did you mean `column`?'],
  },
  {
    title: 'personal is true or false, not yes',
    changes: [['personal: true', 'personal: yes']],
    found: ['20:39: entities.customer.fields.name.personal: must be `true` or `false`'],
  },
  {
    title: 'a list of fields is one finding, not one for each key field as well',
    changes: [['fields: { order_id: uuid, line: int32 }', 'fields: [order_id, line]']],
    found: ['28:13: entities.order-line.fields: must be a mapping of field names to types, not a list'],
  },
  {
    title: 'a table in capitals needs quotes, because PostgreSQL folds it otherwise',
    changes: [['table: public.customers', 'table: Sales.Customer']],
    found: [
      '14:12: entities.customer.table: `Sales.Customer` has a name that needs quotes (only lower-case letters, digits and _ do without); write `"Sales"."Customer"`',
    ],
  },
  {
    title: 'a table has no database before its schema',
    changes: [['table: public.customers', 'table: a.b.c']],
    found: ['14:12: entities.customer.table: `a.b.c` has more than a schema and a name; write `schema.table`'],
  },
  {
    title: 'a table name longer than 63 bytes is refused, and cut in the message',
    changes: [['table: public.customers', `table: ${LONG}`]],
    found: [
      '14:12: entities.customer.table: `xxxxxxxxxxxxxxxxxxxxxxxx…` has a name of more than 63 bytes, which PostgreSQL would cut off',
    ],
  },
  {
    title: 'a field name is an Avro name',
    changes: [['extra: json', '1st-thing: json']],
    found: [
      '21:7: entities.customer.fields.1st-thing: `1st-thing` is not a field name: 1 to 63 letters, digits or _, the first not a digit; write `_1st_thing: { column: …, type: … }`',
    ],
  },
  {
    title: 'a slot keeps to the letters PostgreSQL allows',
    changes: [['url: ${ERP_URL}', 'url: ${ERP_URL}\n    slot: A-b']],
    found: ['11:11: sources.erp.slot: must be 1 to 63 lower-case letters, digits or _'],
  },
  {
    title: 'entities of a subscriber are a mapping',
    changes: [
      [
        '    entities:\n      customer: { fields: { id: id, full_name: name } }\n      order-line:\n',
        '    entities: [customer]\n',
      ],
    ],
    found: ['33:15: subscribers.warehouse.entities: must be a mapping of entity names, not a list'],
  },
  {
    title: 'concurrency is within bounds',
    changes: [['url: ${WAREHOUSE_URL}', 'url: ${WAREHOUSE_URL}\n    concurrency: 33']],
    found: ['33:18: subscribers.warehouse.concurrency: must be a whole number from 1 to 32'],
  },
  {
    title: 'a broker has a port',
    changes: [['kafka:9092', 'kafka']],
    found: ['3:12: kafka.brokers: must be `host:port`, several separated by commas, or a list of them'],
  },
  {
    title: 'the broken broker of a list is the one that is shown',
    changes: [['kafka:9092', '[kafka:9092, "a b"]']],
    found: ['3:25: kafka.brokers[1]: must be `host:port`'],
  },
]

const ACROSS: readonly Case[] = [
  {
    title: "an entity's source is declared",
    changes: [['source: erp', 'source: epr']],
    found: ['13:13: entities.customer.source: source `epr` is not declared; did you mean `erp`?'],
  },
  {
    title: 'a file without sources says so once',
    changes: [['sources:\n  erp:\n    type: postgres\n    url: ${ERP_URL}\n', 'sources: {}\n']],
    found: ['7:10: sources: names nothing; declare a source'],
  },
  {
    title: 'a key field is among the fields',
    changes: [['key: id', 'key: idd']],
    found: ['15:10: entities.customer.key: key field `idd` is not among the fields; did you mean `id`?'],
  },
  {
    title: 'a json field cannot be a key',
    changes: [['key: id', 'key: extra']],
    found: [
      '15:10: entities.customer.key: `extra` cannot be a key: values of type `json` have no one form; choose another field',
    ],
  },
  {
    title: 'an array cannot be part of a key',
    changes: [
      ['key: id', 'key: [id, name]'],
      ['name: { type: string', 'name: { type: "string[]"'],
    ],
    found: [
      '15:15: entities.customer.key[1]: `name` cannot be a key: values of type `string[]` have no one form; choose another field',
    ],
  },
  {
    title: 'a key names a field once',
    changes: [['[order_id, line]', '[line, line]']],
    found: ['25:17: entities.order-line.key[1]: `line` is twice in the key; keep one'],
  },
  {
    title: 'names that become the same in schemas and tables are refused',
    changes: [[SECOND_ENTITY, entity('order_line')]],
    found: [
      `22:3: entities.order_line: \`order_line\` is not a name: ${NAMES}; write \`order-line\``,
      '23:3: entities.order-line: `order-line` and `order_line` become the same name in schemas and tables; rename one',
    ],
  },
  {
    title: 'no entity takes the topic of the positions',
    changes: [[SECOND_ENTITY, entity('positions')]],
    found: [
      '22:3: entities.positions: its topic `<name>.positions` is taken by the positions of the sources; choose another name',
    ],
  },
  {
    title: 'two sources on one server cannot share a slot, whatever the database and the spelling of the host',
    changes: [
      [
        'entities:\n',
        '  old: { type: postgres, url: "postgres://other@ERP.example/old", slot: tributary_acme_erp }\nentities:\n',
      ],
    ],
    found: ['11:73: sources.old.slot: source `erp` has the same slot on the same server; set another `slot`'],
  },
  {
    title: 'two sources on one database cannot share a publication',
    changes: [
      ['entities:\n', '  old: { type: postgres, url: "${ERP_URL}", publication: tributary_acme_erp }\nentities:\n'],
    ],
    found: [
      '11:58: sources.old.publication: source `erp` has the same publication on the same database; set another `publication`',
    ],
  },
  {
    title: 'a default slot that is too long has to be set',
    changes: [
      ['  erp:\n', `  ${'e'.repeat(50)}:\n`],
      ['source: erp', `source: ${'e'.repeat(50)}`],
      ['source: erp', `source: ${'e'.repeat(50)}`],
    ],
    found: ['slot', 'publication'].map(
      (field) =>
        `8:3: sources.${'e'.repeat(50)}: the default \`${field}\` is longer than 63 characters; set \`${field}\``,
    ),
  },
  {
    title: 'compaction may not be held off for longer than erasure allows',
    changes: [['sources:', 'topics: { erasure: 30m }\nsources:']],
    found: [
      '7:20: topics.erasure: `minCompactionLag` must be shorter than `erasure`; nothing could be erased in time otherwise',
    ],
  },
  {
    title: 'an entity has at most 1000 fields',
    changes: [['line: int32 }', `line: int32, ${manyFields(999)} }`]],
    found: ['28:5: entities.order-line.fields: has 1001 fields; 1000 is the limit'],
  },
  {
    title: 'a subscriber takes declared entities only',
    changes: [[LAST_LINE, '      order-lin:\n']],
    found: [
      '35:7: subscribers.warehouse.entities.order-lin: entity `order-lin` is not declared; did you mean `order-line`?',
    ],
  },
  {
    title: 'a mapped field exists',
    changes: [['full_name: name', 'full_name: nam']],
    found: [
      '34:48: subscribers.warehouse.entities.customer.fields.full_name: the entity has no field `nam`; did you mean `name`?',
    ],
  },
  {
    title: 'a destination field may not begin with tributary_',
    changes: [['full_name: name', 'tributary_name: name']],
    found: [
      '34:37: subscribers.warehouse.entities.customer.fields.tributary_name: destination field `tributary_name` begins with `tributary_`, which is reserved; choose another name',
    ],
  },
  {
    title: 'nor may a field that is taken under its own name',
    changes: [['line: int32', 'line: int32, tributary_x: string']],
    found: [
      '35:7: subscribers.warehouse.entities.order-line: destination field `tributary_x` begins with `tributary_`, which is reserved; map it under another name in `fields`',
    ],
  },
  {
    title: 'destination fields that differ in case only are refused',
    changes: [['full_name: name', 'ID: name']],
    found: [
      '34:37: subscribers.warehouse.entities.customer.fields.ID: destination fields `id` and `ID` differ in case only; rename one',
    ],
  },
  {
    title: 'a destination field is filled once',
    changes: [['full_name: name', 'id: name']],
    found: [
      '34:37: subscribers.warehouse.entities.customer.fields.id: `id` stands here twice; the first is on line 34; keep one',
    ],
  },
  {
    title: 'two entities cannot go to one table, also where its name differs in case',
    changes: [[LAST_LINE, '      order-line: { table: \'"Customer"\' }\n']],
    found: [
      '35:28: subscribers.warehouse.entities.order-line.table: table `Customer` is the one that entity `customer` of subscriber `warehouse` goes to; choose another `table`',
    ],
  },
  {
    title: 'nor from two subscribers to one place',
    changes: [
      [LAST_LINE, `${LAST_LINE}  lake: { type: warehouse, url: "\${WAREHOUSE_URL}", entities: { order-line: } }\n`],
    ],
    found: [
      '36:65: subscribers.lake.entities.order-line: table `order_line` is the one that entity `order-line` of subscriber `warehouse` goes to; choose another `table`',
    ],
  },
  {
    title: 'nothing is delivered into a table it is captured from',
    changes: [
      ['url: ${WAREHOUSE_URL}', 'url: ${ERP_URL}'],
      ['customer: { fields', 'customer: { table: customers, fields'],
    ],
    found: [
      '34:26: subscribers.warehouse.entities.customer.table: table `customers` is the one that entity `customer` is captured from; choose another `table`',
    ],
  },
  {
    title: 'a destination table name longer than 63 bytes is refused',
    changes: [[LAST_LINE, `      order-line: { table: ${LONG} }\n`]],
    found: [
      '35:28: subscribers.warehouse.entities.order-line.table: `xxxxxxxxxxxxxxxxxxxxxxxx…` has a name of more than 63 bytes, which PostgreSQL would cut off',
    ],
  },
  {
    title: 'a destination table names no schema',
    changes: [[LAST_LINE, '      order-line: { table: dwh.lines }\n']],
    found: [
      "35:28: subscribers.warehouse.entities.order-line.table: `dwh.lines` must not name a schema; set the subscriber's `schema`, or quote the whole name",
    ],
  },
  {
    title: 'a destination table may not begin with tributary_',
    changes: [[LAST_LINE, '      order-line: { table: tributary_lines }\n']],
    found: [
      '35:28: subscribers.warehouse.entities.order-line.table: table `tributary_lines` begins with `tributary_`, which is reserved; choose another name',
    ],
  },
]

it('finds nothing in a sound pipeline', () => {
  expect(findings(PIPELINE)).toEqual([])
})

for (const [subject, cases] of Object.entries({
  'the form of each part': FORM,
  'what must fit together': ACROSS,
}))
  describe(subject, () => {
    it.each(cases)('$title', ({ changes, found, env }) => {
      expect(findings(changed(...changes), env)).toEqual(found.map((line) => `p.yaml:${line}`))
    })
  })

describe('all at once', () => {
  it('tells of mistakes in different sections together, in the order of the file', () => {
    const text = changed(['acme', 'ACME'], ['key: id', 'key: nope'], ['type: warehouse', 'type: lakehouse'])
    expect(findings(text)).toEqual([
      'p.yaml:1:7: name: must be 1 to 40 lower-case letters, digits or -, the first a letter',
      'p.yaml:15:10: entities.customer.key: key field `nope` is not among the fields',
      'p.yaml:31:11: subscribers.warehouse.type: must be `warehouse`, `dataverse`, `finance-operations`, `business-central`, `salesforce`, `shopify` or `http`; did you mean `warehouse`?',
    ])
  })

  it('checks what stands under a bad name as well', () => {
    expect(findings(changed(['  erp:\n', '  ERP:\n'], ['type: postgres', 'type: postgre']))).toEqual([
      `p.yaml:8:3: sources.ERP: \`ERP\` is not a name: ${NAMES}; write \`erp\``,
      'p.yaml:9:11: sources.ERP.type: must be `postgres`',
      'p.yaml:13:13: entities.customer.source: source `erp` is not declared; did you mean `ERP`?',
      'p.yaml:23:13: entities.order-line.source: source `erp` is not declared; did you mean `ERP`?',
    ])
  })
})
