import { PIPELINE } from './pipelines.ts'

/** A subscriber with something wrong in it, and what is found. The subscriber begins on line 39. */
export interface SubscriberCase {
  readonly title: string
  readonly written: string
  readonly found: readonly string[]
}

/** The pipeline with an enum and a boolean, a critical entity, and one more subscriber. */
export function withSubscriber(written: string): string {
  const text = PIPELINE.replace(
    'extra: json',
    'extra: json\n      status: enum(open,paid)\n      active: boolean',
  ).replace('owner: orders', 'owner: orders\n    class: critical')
  return `${text}${written}`
}

const CRM = `  crm:
    type: dataverse
    url: https://contoso.crm4.dynamics.com
    tenant: contoso.example
    clientId: tributary
    clientSecret: s3cret
    entities:
`
/** Fields of a mapping of customers at the CRM, from line 50 on. */
const fields = (...lines: readonly string[]) =>
  `${CRM}      customer:\n        target: accounts\n        key: erp_id\n        fields:\n          ${lines.join('\n          ')}\n`

export const CASES: readonly SubscriberCase[] = [
  {
    title: 'a kind that is not known is compared with those that are',
    written: '  crm: { type: dataversa }\n',
    found: [
      '39:16: subscribers.crm.type: must be `warehouse`, `dataverse`, `finance-operations`, `business-central`, `salesforce`, `shopify` or `http`; did you mean `dataverse`?',
    ],
  },
  {
    title: 'an empty subscriber says so once',
    written: '  crm:\n',
    found: ['39:3: subscribers.crm: must be a mapping with `type`, not empty'],
  },
  {
    title: 'options of another kind are unknown',
    written:
      CRM.replace('clientId: tributary', 'clientId: tributary\n    schema: dwh') +
      '      customer: { target: accounts, key: id }\n',
    found: [
      '44:5: subscribers.crm.schema: unknown field `schema`; known here: `type`, `concurrency`, `retry`, `breaker`, `onDelete`, `timeout`, `lateRequest`, `allowAddresses`, `entities`, `compare`, `url`, `tenant`, `tokenUrl`, `clientId`, `clientSecret`',
    ],
  },
  {
    title: 'a token is asked for somewhere',
    written: `${CRM.replace('    tenant: contoso.example\n', '')}      customer: { target: accounts, key: id }\n`,
    found: ['39:3: subscribers.crm: `tenant` is missing; it is the tenant of Entra ID; or set `tokenUrl`'],
  },
  {
    title: 'but not at two places',
    written:
      CRM.replace('tenant:', 'tokenUrl: https://login.example/token\n    tenant:') +
      '      customer: { target: accounts, key: id }\n',
    found: ['43:5: subscribers.crm.tenant: `tenant` says nothing beside `tokenUrl`; remove one of them'],
  },
  {
    title: 'credentials travel encrypted, but in a network of one’s own',
    written: `${CRM.replace('https:', 'http:')}      customer: { target: accounts, key: id }\n`,
    found: [
      '41:10: subscribers.crm.url: credentials and changes would travel unencrypted; write `https://`; in a network of your own, name its addresses in `allowAddresses`',
    ],
  },
  {
    title: 'addresses and times are within bounds',
    written: `${CRM.replace(
      '    entities',
      '    allowAddresses: [10.0.0.0/8, 10.0.0.0/99]\n    timeout: 20m\n    lateRequest: 1m\n    concurrency: 1001\n    breaker: { probeEvery: 30s..1s }\n    entities',
    )}      customer: { target: accounts, key: id }\n`,
    found: [
      '45:34: subscribers.crm.allowAddresses[1]: must be an address or a range such as `10.0.0.0/8`',
      '46:14: subscribers.crm.timeout: must be at most `10m`',
      '47:18: subscribers.crm.lateRequest: is shorter than `timeout`: a request could take effect when nobody counts with it any more; leave it out for twice `timeout`',
      '48:18: subscribers.crm.concurrency: must be a whole number from 1 to 1000',
      '49:28: subscribers.crm.breaker.probeEvery: must begin with the shorter duration',
    ],
  },
  {
    title: 'headers have names, and are not those that tributary sets',
    written: `  hook:
    type: http
    url: https://user:password@hook.example
    secrets: [whsec_short]
    headers: { Host: a, "x y": b, X-A: "1", x-a: "2", x-b: 7 }
    entities: { customer: { target: "/customers/{id}" } }
`,
    found: [
      '41:10: subscribers.hook.url: must be an address such as `https://api.example.com/v1`, without a query',
      '42:15: subscribers.hook.secrets[0]: must be a secret such as `whsec_…`, or a list of them',
      '43:16: subscribers.hook.headers.Host: `Host` is set by tributary; remove it',
      '43:25: subscribers.hook.headers."x y": `x y` is not the name of a header',
      '43:45: subscribers.hook.headers.x-a: `x-a` is there in another case; keep one',
      '43:60: subscribers.hook.headers.x-b: must be a text of ASCII characters, without line breaks, not a number',
      '44:37: subscribers.hook.entities.customer.target: has to hold {key} or {0} once: a path for each key of customer',
    ],
  },
  {
    title: 'what a kind cannot do with a delete is refused',
    written:
      CRM.replace('    entities', '    onDelete: archive\n    entities') +
      '      customer: { target: accounts, key: id, onDelete: { soft: { while: { entity: order-line, field: line } }, else: hard } }\n',
    found: [
      '45:15: subscribers.crm.onDelete: must be `hard`, `soft` or `ignore`',
      '47:56: subscribers.crm.entities.customer.onDelete: must be `hard`, `soft` or `ignore`',
    ],
  },
  {
    title: 'an object is found by a key, where the kind needs one',
    written: `${CRM}      customer: { target: accounts }\n      order-line: { target: lines, key: [order_id] }\n`,
    found: [
      '46:7: subscribers.crm.entities.customer: `key` is missing; it names the fields by which dataverse finds an object',
      '47:41: subscribers.crm.entities.order-line.key: names a field, and the key of the entity has 2; name one for each of `order_id`, `line`, in this order',
    ],
  },
  {
    title: 'the key field is filled by the key, and by nothing else',
    written: fields('erp_id: name', 'name: id'),
    found: [
      "48:14: subscribers.crm.entities.customer.key: `erp_id` is not filled by `id`, which is this part of the entity's key; map it from `id`, or leave it out of `fields`",
    ],
  },
  {
    title: 'a kind that goes by one key field has one, which holds the whole key as it is',
    written: `  sf:
    type: salesforce
    url: https://acme.my.salesforce.com
    clientId: tributary
    clientSecret: s3cret
    entities:
      order-line: { target: Line__c, key: [Order__c, Line__c] }
      customer: { target: Account, key: Erp__c, fields: { Erp__c: { format: "C-{id}" } } }
  sf2:
    type: salesforce
    url: https://other.my.salesforce.com
    clientId: tributary
    clientSecret: s3cret
    entities: { order-line: { target: Line__c, key: Erp__c, fields: { Erp__c: line } } }
`,
    found: [
      '45:43: subscribers.sf.entities.order-line.key: names 2 fields, and salesforce finds objects by one; name the one that holds the whole key',
      '46:41: subscribers.sf.entities.customer.key: `Erp__c` is made by a transform, and salesforce finds objects by the key itself',
      '52:53: subscribers.sf2.entities.order-line.key: `Erp__c` holds the whole key; leave it out of `fields`',
    ],
  },
  {
    title: 'an http subscriber has neither key fields nor lookups',
    written: `  hook:
    type: http
    url: https://hook.example
    entities: { customer: { target: "/c/{key}", key: id, lookups: { id: { target: x, keyField: y } } } }
`,
    found: [
      '42:49: subscribers.hook.entities.customer.key: an http subscriber finds objects by its `target`; remove it',
      '42:58: subscribers.hook.entities.customer.lookups: a subscriber of type http has no lookups; remove them',
    ],
  },
  {
    title: 'two entities do not go to one collection, whatever the case, also by two subscribers',
    written: `${CRM}      customer: { target: accounts, key: id }\n      order-line: { target: Accounts, key: [order_id, line] }\n${CRM.replace('crm', 'other')}      customer: { target: accounts, key: id }\n`,
    found: [
      '47:29: subscribers.crm.entities.order-line.target: target `Accounts` is the one that entity `customer` of subscriber `crm` goes to; choose another `target`',
      '55:27: subscribers.other.entities.customer.target: target `accounts` is the one that entity `customer` of subscriber `crm` goes to; choose another `target`',
    ],
  },
  {
    title: 'a critical entity does not refer to a standard one, and what refers is mapped',
    written: `${CRM}      customer: { target: accounts, key: id }
      order-line:
        target: lines
        key: [order_id, line]
        lookups:
          line: { target: Accounts, keyField: id }
          parent: { target: lines, keyField: id }
`,
    found: [
      '51:11: subscribers.crm.entities.order-line.lookups.line: a critical entity would wait for `customer`, which is a standard one; make `customer` critical as well, or map the field without a lookup',
      '52:11: subscribers.crm.entities.order-line.lookups.parent: destination field `parent` is not mapped; fill it in `fields` with the key of what it refers to',
    ],
  },
  {
    title: 'destination fields that differ in case only are one there',
    written: fields('erp_id: id', 'Name: name', 'name: name'),
    found: [
      '52:11: subscribers.crm.entities.customer.fields.name: destination fields `Name` and `name` differ in case only; rename one',
    ],
  },
  {
    title: 'a transform names fields that there are',
    written: fields(
      'a: nam',
      'b: { join: [name, statuss] }',
      'c: { format: "C-{idd}" }',
      'd: { from: naem, default: x }',
    ),
    found: [
      '50:14: subscribers.crm.entities.customer.fields.a: the entity has no field `nam`; did you mean `name`?',
      '51:29: subscribers.crm.entities.customer.fields.b.join[1]: the entity has no field `statuss`; did you mean `status`?',
      '52:24: subscribers.crm.entities.customer.fields.c.format: the entity has no field `idd`; did you mean `id`?',
      '53:22: subscribers.crm.entities.customer.fields.d.from: the entity has no field `naem`; did you mean `name`?',
    ],
  },
  {
    title: 'a destination field has one transform, and nothing that belongs to another',
    written: fields(
      'a: { join: [id, name], split: name }',
      'b: { join: [id, name], by: "," }',
      'c: { constant: 7, default: 2 }',
      'd: {}',
      'e: { frm: id }',
      'f: 7',
    ),
    found: [
      '50:34: subscribers.crm.entities.customer.fields.a.split: a destination field has one transform, and this has `join` already; remove one',
      '51:34: subscribers.crm.entities.customer.fields.b.by: `by` says nothing beside `join`; it belongs to `split`',
      '52:29: subscribers.crm.entities.customer.fields.c.default: `default` says nothing beside `constant`; remove it',
      '53:11: subscribers.crm.entities.customer.fields.d: does not say what fills it; write `from`, or a transform such as `join`',
      '54:16: subscribers.crm.entities.customer.fields.e.frm: unknown field `frm`; did you mean `from`?',
      '55:14: subscribers.crm.entities.customer.fields.f: must be the name of a field of the entity, or a mapping such as `{ join: [first, last] }`, not a number',
    ],
  },
  {
    title: 'a split has parts, of a text',
    written: fields('a: { split: name }', 'b: { split: name, by: ",", part: 0 }', 'c: { split: id, by: ",", part: 1 }'),
    found: [
      '50:16: subscribers.crm.entities.customer.fields.a.split: `by` is missing; it is what stands between the parts',
      '50:16: subscribers.crm.entities.customer.fields.a.split: `part` is missing; 1 is the first, -1 the last',
      '51:44: subscribers.crm.entities.customer.fields.b.part: parts are counted from 1; 1 is the first, -1 the last',
      '52:23: subscribers.crm.entities.customer.fields.c.split: values of type `int64` cannot be split; only a string has parts',
    ],
  },
  {
    title: 'what has no plain text is not joined, formatted or looked up',
    written: fields('a: { join: [extra, id] }', 'b: { format: "{extra}" }', 'c: { from: extra, lookup: { a: 1 } }'),
    found: [
      '50:23: subscribers.crm.entities.customer.fields.a.join[0]: values of type `json` cannot be joined: they have no plain text; use `custom`',
      '51:24: subscribers.crm.entities.customer.fields.b.format: values of type `json` cannot be formatted: they have no plain text; use `custom`',
      '52:22: subscribers.crm.entities.customer.fields.c.from: values of type `json` cannot be looked up: they have no plain text; use `custom`',
    ],
  },
  {
    title: 'a format has its fields in braces, and those that `from` names',
    written: fields('a: { format: "C-{" }', 'b: { format: plain }', 'c: { format: "{id}{name}", from: [id, status] }'),
    found: [
      '50:24: subscribers.crm.entities.customer.fields.a.format: has a brace that is no field; write `{field}`, or `{{` and `}}` for plain braces',
      '51:24: subscribers.crm.entities.customer.fields.b.format: has no field in braces; write `constant` for a text that is always the same',
      '52:24: subscribers.crm.entities.customer.fields.c.format: `{name}` is not in `from`; name it there, or leave `from` out',
      '52:49: subscribers.crm.entities.customer.fields.c.from[1]: `status` is not in the format; write it there in braces, or leave it out',
    ],
  },
  {
    title: 'a lookup table has what can occur, and all of it',
    written: fields(
      'a: { from: status, lookup: { open: 0, payd: 1 } }',
      'b: { from: active, lookup: { yes: 1 } }',
      'c: { from: id, lookup: { "01": x } }',
      'd: { lookup: { a: 1 } }',
      'e: { from: name, lookup: {} }',
      'f: { from: [id, name], lookup: { a: 1 } }',
    ),
    found: [
      '50:30: subscribers.crm.entities.customer.fields.a.lookup: the table has nothing for `paid`; add them, or a `default`',
      '50:49: subscribers.crm.entities.customer.fields.a.lookup.payd: the field never is `payd`: its type is `enum(open,paid)`; did you mean `paid`?',
      '51:30: subscribers.crm.entities.customer.fields.b.lookup: the table has nothing for `true`, `false`; add them, or a `default`',
      '51:40: subscribers.crm.entities.customer.fields.b.lookup.yes: the field never is `yes`: its type is `boolean`',
      '52:36: subscribers.crm.entities.customer.fields.c.lookup.01: the field never is `01`: its type is `int64`',
      '53:16: subscribers.crm.entities.customer.fields.d.lookup: `from` is missing; it names the field that is looked up',
      '54:28: subscribers.crm.entities.customer.fields.e.lookup: the table is empty; write what each value becomes',
      '55:22: subscribers.crm.entities.customer.fields.f.from: names 2 fields, and only one can be taken here; use `join`, `format` or `custom` for several',
    ],
  },
  {
    title: 'values are of the type that the field gets',
    written: fields(
      'a: { from: active, default: 7 }',
      'b: { from: name, lookup: { a: 1, b: x } }',
      'c: { constant: 1.5, type: int32 }',
      'd: { constant: 12345678901234567890 }',
      'e: { from: status, default: lost }',
    ),
    found: [
      '50:39: subscribers.crm.entities.customer.fields.a.default: must be a value of type `boolean`',
      '51:28: subscribers.crm.entities.customer.fields.b.lookup: its values are of different types; say which one is meant with `type`',
      '52:26: subscribers.crm.entities.customer.fields.c.constant: must be a value of type `int32`',
      '53:26: subscribers.crm.entities.customer.fields.d.constant: must be a value of type `int64`; put it in quotes, with `type: int64`: so large a number would lose digits',
      '54:39: subscribers.crm.entities.customer.fields.e.default: must be a value of type `enum(open,paid)`',
    ],
  },
  {
    title: 'a custom transform has fields, a type, and a file that it is in',
    written: fields('a: { custom: normalize }', 'b: { custom: no-name, from: id, type: strin }'),
    found: [
      '50:16: subscribers.crm.entities.customer.fields.a.custom: `from` is missing; it names the fields that the function gets',
      '50:16: subscribers.crm.entities.customer.fields.a.custom: `type` is missing; it is the type of what the function gives',
      '50:16: subscribers.crm.entities.customer.fields.a.custom: there is no file of custom transforms; name it at the top of the declaration, such as `transforms: ./transforms.ts`',
      '51:16: subscribers.crm.entities.customer.fields.b.custom: there is no file of custom transforms; name it at the top of the declaration, such as `transforms: ./transforms.ts`',
      '51:24: subscribers.crm.entities.customer.fields.b.custom: must be the name of a function that the file of `transforms` exports',
      '51:49: subscribers.crm.entities.customer.fields.b.type: unknown type `strin`; known: string, boolean, int32, int64, numeric, double, date, time, timestamp, timestamptz, uuid, bytes, json, decimal(p,s), enum(a,b,…), any of these followed by []; did you mean `string`?',
    ],
  },
  {
    title: 'a conditional delete names what refers, and how it is there',
    written: `  dwh:
    type: warehouse
    url: postgres://dwh.example/dwh
    entities:
      customer: { onDelete: { soft: { while: { entity: order-line, field: order_id, where: { line: x, lin: 1 } } }, else: soft } }
      order-line: { fields: { o: order_id, l: { format: "{line}" } }, onDelete: { archive: { while: { entity: customr, field: id } }, else: hard } }
`,
    found: [
      '43:75: subscribers.dwh.entities.customer.onDelete.soft.while.field: is of type `uuid`, and the key of type `int64`',
      '43:94: subscribers.dwh.entities.customer.onDelete.soft.while.where.line: `line` is not sent to this subscriber as it is; map it in its `fields`, without a transform',
      '43:103: subscribers.dwh.entities.customer.onDelete.soft.while.where.lin: entity `order-line` has no field `lin`; did you mean `line`?',
      '43:123: subscribers.dwh.entities.customer.onDelete.else: is what happens while the condition holds, too; choose another policy',
      '44:111: subscribers.dwh.entities.order-line.onDelete.archive.while.entity: this subscriber does not take `customr`; did you mean `customer`?',
    ],
  },
  {
    title: 'and one policy, with fields that are there as they are',
    written: `  dwh:
    type: warehouse
    url: postgres://dwh.example/dwh
    entities:
      customer: { onDelete: { soft: { while: { entity: order-line, field: [line, order_id] } }, hard: { while: { entity: order-line, field: line } }, else: ignore } }
      order-line: { fields: { o: order_id, l: { format: "{line}" } }, onDelete: { soft: { while: { entity: customer, field: id } } } }
`,
    found: [
      '43:31: subscribers.dwh.entities.customer.onDelete.soft: a second condition; one policy has a condition, and `else` says the rest',
      '43:141: subscribers.dwh.entities.customer.onDelete.hard.while.field: `line` is not sent to this subscriber as it is; map it in its `fields`, without a transform',
      '44:71: subscribers.dwh.entities.order-line.onDelete.else: `else` is missing; it must be `hard`, `soft`, `archive` or `ignore`',
    ],
  },
]
