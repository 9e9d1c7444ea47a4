{{- define "xylem.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "xylem.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "xylem.labels" -}}
{{ include "xylem.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "xylem.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "xylem.name" .) }}
{{- end }}

{{- define "xylem.priorityClass" -}}
{{ .Values.priorityClass.name | default (ternary (include "xylem.clusterName" .) "" .Values.priorityClass.create) }}
{{- end }}

{{- define "xylem.secret" -}}
{{ .Values.credential.existingSecret | default (printf "%s-credential" (include "xylem.name" .)) }}
{{- end }}

{{- define "xylem.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* Cluster-wide names carry the namespace of the release: two releases on one cluster have two. */ -}}
{{- define "xylem.clusterName" -}}
{{ printf "%s-%s" .Release.Namespace (include "xylem.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "xylem.checked" -}}
{{- if not .Values.backend -}}
{{- fail "Set backend to the name of this cluster: `xylem backend add NAME` prints the whole command." -}}
{{- end -}}
{{- if not .Values.url -}}
{{- fail "Set url to the service's WebSocket URL, wss://...: `xylem backend add NAME` prints the whole command." -}}
{{- end -}}
{{- if eq (empty .Values.credential.token) (empty .Values.credential.existingSecret) -}}
{{- fail "Set either credential.token or credential.existingSecret: `xylem backend add NAME` shows the credential once." -}}
{{- end -}}
{{- if eq .Values.tasks.namespace .Release.Namespace -}}
{{- fail "Set tasks.namespace to another namespace than the release's: pods of tasks must not lie beside the operator's credential." -}}
{{- end -}}
{{- end }}
