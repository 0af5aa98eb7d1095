import { DATA_SOURCE, type Json } from './panel.ts'

/** The data source that our provisioning makes; where there is none of this id, Grafana takes another one of Prometheus. */
const PROVISIONED_UID = 'tributary'

export interface Choice {
  readonly name: string
  readonly label: string
  readonly description: string
  /** The series whose values of the label `name` there are to choose from. */
  readonly from: string
  readonly isMultiple: boolean
}

export function dataSourceVariable(): Json {
  return {
    current: { text: PROVISIONED_UID, value: PROVISIONED_UID },
    hide: 0,
    includeAll: false,
    label: 'Data source',
    multi: false,
    name: 'datasource',
    options: [],
    query: 'prometheus',
    refresh: 1,
    regex: '',
    skipUrlSync: false,
    type: 'datasource',
  }
}

export function choiceVariable({ name, label, description, from, isMultiple }: Choice): Json {
  const query = `label_values(${from}, ${name})`
  return {
    ...(isMultiple && { allValue: '.+' }),
    current: isMultiple ? { text: ['All'], value: ['$__all'] } : {},
    datasource: DATA_SOURCE,
    definition: query,
    description,
    hide: 0,
    includeAll: isMultiple,
    label,
    multi: isMultiple,
    name,
    options: [],
    query,
    // On a change of the time range, too: a process may be gone since.
    refresh: 2,
    regex: '',
    skipUrlSync: false,
    sort: 1,
    type: 'query',
  }
}

export const JOB: Choice = {
  name: 'job',
  label: 'Job',
  description: 'What Prometheus calls the processes of one pipeline.',
  from: 'tributary_build_info',
  isMultiple: true,
}

export const INSTANCE: Choice = {
  name: 'instance',
  label: 'Instance',
  description: 'One process. What the exporter tells of the whole pipeline stays.',
  from: 'tributary_build_info{job=~"$job"}',
  isMultiple: true,
}
