{{/*
The declaration as data, in JSON. What is to be filled in from the environment is covered: `{ url: ${URL} }` is no YAML before that.
*/}}
{{- define "tributary.declaration" -}}
{{- if not .Values.declaration -}}
{{- fail "There is no declaration. Give it with --set-file declaration=tributary.yaml" -}}
{{- end -}}
{{- $read := fromYaml (regexReplaceAll "\\$\\{[^}]*\\}" .Values.declaration "reference") -}}
{{- if hasKey $read "Error" -}}
{{- fail (printf "The declaration is no YAML: %s" $read.Error) -}}
{{- end -}}
{{- range $name, $_ := .Values.sources -}}
{{- if not (hasKey (default dict $read.sources) $name) -}}
{{- fail (printf "sources.%s: the declaration has no source of that name" $name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.subscribers -}}
{{- if not (hasKey (default dict $read.subscribers) $name) -}}
{{- fail (printf "subscribers.%s: the declaration has no subscriber of that name" $name) -}}
{{- end -}}
{{- end -}}
{{- toJson $read -}}
{{- end -}}

{{/* The names of its sources, and of its subscribers, as JSON: { "names": […] } */}}
{{- define "tributary.sources" -}}
{{- $declaration := fromJson (include "tributary.declaration" .) -}}
{{- toJson (dict "names" (keys (default dict $declaration.sources) | sortAlpha)) -}}
{{- end -}}

{{- define "tributary.subscribers" -}}
{{- $declaration := fromJson (include "tributary.declaration" .) -}}
{{- toJson (dict "names" (keys (default dict $declaration.subscribers) | sortAlpha)) -}}
{{- end -}}

{{/*
What a subscriber reads, as JSON: { "topics": [{ "topic", "group", "partitions" }] }, one consumer group a class. The defaults are those of
ops/declaration/definition.ts.
Takes (dict "root" $ "subscriber" name).
*/}}
{{- define "tributary.topics" -}}
{{- $declaration := fromJson (include "tributary.declaration" .root) -}}
{{- $subscriber := .subscriber -}}
{{- $topics := list -}}
{{- range $entity, $_ := get (get $declaration.subscribers $subscriber) "entities" -}}
{{- $declared := get $declaration.entities $entity -}}
{{- $group := printf "%s.%s.%s" $declaration.name $subscriber (default "standard" $declared.class) -}}
{{- $topics = append $topics (dict "topic" (printf "%s.%s" $declaration.name $entity) "group" $group "partitions" (int (default 6 $declared.partitions))) -}}
{{- end -}}
{{- toJson (dict "topics" $topics) -}}
{{- end -}}
