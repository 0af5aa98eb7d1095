{{/* A text as a name or the value of a label: itself where Kubernetes takes it, else cut and with a hash, so that no two are alike. */}}
{{- define "tributary.name" -}}
{{- if and (le (len .) 63) (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" .) -}}
{{- . -}}
{{- else -}}
{{- printf "%s-%s" (regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trunc 54 | trimAll "-") (sha256sum . | trunc 8) -}}
{{- end -}}
{{- end -}}

{{/* The name of what belongs to one component. Takes (dict "root" $ "component" "capture-erp"). */}}
{{- define "tributary.componentName" -}}
{{- include "tributary.name" (printf "%s-%s" .root.Release.Name .component) -}}
{{- end -}}

{{/* What finds the pods of a component, and never changes. */}}
{{- define "tributary.selector" -}}
app.kubernetes.io/name: tributary
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ include "tributary.name" .component }}
{{- end -}}

{{- define "tributary.labels" -}}
{{ include "tributary.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "tributary.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}
