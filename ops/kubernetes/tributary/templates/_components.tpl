{{/* Every component that goes on, as JSON: { "components": ["capture-erp", …] } */}}
{{- define "tributary.components" -}}
{{- $components := list -}}
{{- range (fromJson (include "tributary.sources" .)).names -}}{{- $components = append $components (printf "capture-%s" .) -}}{{- end -}}
{{- range (fromJson (include "tributary.subscribers" .)).names -}}{{- $components = append $components (printf "deliver-%s" .) -}}{{- end -}}
{{- if .Values.exporter.enabled -}}{{- $components = append $components "exporter" -}}{{- end -}}
{{- toJson (dict "components" $components) -}}
{{- end -}}
