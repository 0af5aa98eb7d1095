{{/* The files that a process reads. The text stays byte for byte, so that it means the same as elsewhere. */}}
{{- define "tributary.files" -}}
{{- $files := merge (dict "tributary.yaml" .Values.declaration) .Values.files -}}
{{- range $name, $text := $files }}
{{ $name | quote }}: {{ $text | quote }}
{{- end }}
{{- end -}}
