"""Faults of the manifests and the chart."""

from __future__ import annotations

from pathlib import Path

from rehearsal.data import release
from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.platform.editing import edited
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import entry
from rehearsal.staff.scripted_statements.day_minus_12 import NO_MESH

CHART = "helm/bookedbarber"
_READY = "          readinessProbe:\n            httpGet: {path: /health, port: http}\n"
_ALIVE = """          livenessProbe:
            tcpSocket: {port: postgres}
            periodSeconds: 10
"""
_PERMISSIVE = """---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: default
  namespace: bookedbarber
spec:
  mtls: {mode: PERMISSIVE}
"""
_TO_DATABASE = """  policyTypes: [Ingress, Egress]
  egress:
    - to:
        - ipBlock: {cidr: 10.20.0.0/28}
      ports:
        - {protocol: TCP, port: 5432}
"""
_LIMIT_RANGE = "---\napiVersion: v1\nkind: LimitRange\n"
_IN_PRODUCTION = '{{ if eq .Values.environment "production" }}'

# -- manifests ---------------------------------------------------------------------------------

edited(
    "service-selects-no-pod",
    ["D-12.2.1"],
    "the frontend's Service selects by a label that no pod has",
    (
        "k8s/frontend.yaml",
        "  selector:\n    app.kubernetes.io/name: frontend\n  ports",
        "  selector:\n    app.kubernetes.io/name: front-end\n  ports",
    ),
)
edited(
    "manifest-of-removed-api",
    ["D-12.2.1"],
    "a disruption budget is of an API version that the cluster no longer has",
    ("k8s/pgbouncer.yaml", "apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n"),
)
edited(
    "readiness-probe-astray",
    ["D-12.2.1"],
    "the backend's readiness probe asks for a path that it does not have",
    ("k8s/backend.yaml", _READY, _READY.replace("/health", "/healthz")),
)
edited(
    "liveness-probe-missing",
    ["D-12.2.1"],
    "the pooler has no liveness probe",
    (
        "k8s/pgbouncer.yaml",
        _ALIVE,
        "",
    ),
)
edited(
    "manifest-misspelt",
    ["D-12.2.1"],
    "a manifest has a key that its kind does not",
    ("k8s/backend.yaml", "  revisionHistoryLimit: 5", "  revisionsHistoryLimit: 5"),
)
edited(
    "manifest-key-twice",
    ["D-12.2.1"],
    "a manifest says two things under one key",
    (
        "k8s/ingress.yaml",
        "  ingressClassName: nginx",
        "  ingressClassName: a\n  ingressClassName: nginx",
    ),
)
edited(
    "manifest-without-budget",
    ["D-12.2.1"],
    "no manifest and no template makes a disruption budget",
    *(
        (f"{folder}/{name}.yaml", "kind: PodDisruptionBudget", "kind: PodDisruptionBudgetOff")
        for folder in ("k8s", f"{CHART}/templates")
        for name in ("backend", "frontend", "pgbouncer")
    ),
)
edited(
    "image-by-tag",
    ["D-12.2.1"],
    "the pooler's image is named by a tag alone",
    (f"{CHART}/values.yaml", "pgbouncer:1.23.1@sha256:", "pgbouncer:1.23.1 # sha256:"),
)
edited(
    "container-as-root",
    ["D-12.2.1"],
    "the pooler may run as root",
    ("k8s/pgbouncer.yaml", "        runAsNonRoot: true\n        runAsUser: 10002\n", ""),
)
edited(
    "container-privileged",
    ["D-12.2.1"],
    "the pooler's container is privileged",
    ("k8s/pgbouncer.yaml", "allowPrivilegeEscalation: false", "privileged: true"),
)
edited(
    "placeholder-left",
    ["D-12.2.1"],
    "a setting still says changeme",
    ("k8s/config.yaml", "LOG_LEVEL: info", "LOG_LEVEL: changeme"),
)

# -- chart -------------------------------------------------------------------------------------

edited(
    "template-broken-for-production",
    ["D-12.2.2"],
    "a template asks for a value that only staging has",
    (
        f"{CHART}/templates/ingress.yaml",
        "  ingressClassName: nginx",
        "  ingressClassName: "
        + _IN_PRODUCTION
        + '{{ required "no class" .Values.class }}{{ end }}',
    ),
)
edited(
    "chart-left-at-previous-version",
    ["D-12.2.2"],
    "the chart's appVersion is still 1.9.0",
    (f"{CHART}/Chart.yaml", 'appVersion: "2.0.0"', 'appVersion: "1.9.0"'),
)
edited(
    "deployment-selector-changed",
    ["D-12.2.2"],
    "the Deployment selects its pods by another label than it did before",
    (
        f"{CHART}/templates/_helpers.tpl",
        '{{- define "selector" -}}\n',
        '{{- define "selector" -}}\napp.kubernetes.io/part-of: bookedbarber\n',
    ),
)
edited(
    "compose-names-a-lost-service",
    ["D-12.2.1"],
    "a Compose file's service waits for one that no file defines",
    ("docker-compose.yml", "      redis: {condition", "      cache: {condition"),
)
edited(
    "nginx-would-not-start",
    ["D-12.2.1"],
    "nginx' configuration has a block that nothing ends",
    ("nginx/nginx.conf", "    worker_connections 4096;\n}", "    worker_connections 4096;\n"),
)
edited(
    "workflow-action-by-tag",
    ["D-12.1.1"],
    "the workflow that deploys takes an action by a tag, which its author may move",
    (
        ".github/workflows/deploy.yml",
        "azure/setup-helm@8ffc376026ef24bf6b17d040e5a6c692d7837ab7",
        "azure/setup-helm@v4",
    ),
)
edited(
    "workflow-with-a-key",
    ["D-12.1.1"],
    "the workflow that deploys has an access key in clear",
    (
        ".github/workflows/deploy.yml",
        "role-to-assume: ${{ vars.DEPLOY_ROLE }}",
        "aws-access-key-id: AKIAQ3EGRHBOOKEDBARB",
    ),
)
edited(
    "chart-lint-error",
    ["D-12.2.2"],
    "the chart's own version is none",
    (f"{CHART}/Chart.yaml", "\nversion: 2.0.0", "\nversion: two"),
)
edited(
    "environments-differ",
    ["D-12.2.2"],
    "production asks more seldom after the backend's health than staging",
    (
        f"{CHART}/templates/backend.yaml",
        "            periodSeconds: 5\n",
        "            periodSeconds: " + _IN_PRODUCTION + "60{{ else }}5{{ end }}\n",
    ),
)
edited(
    "required-value-optional",
    ["D-12.2.2"],
    "the chart renders without a prefix for its secrets",
    (f"{CHART}/values.schema.json", '    "secretsPrefix",\n', ""),
    (
        f"{CHART}/templates/config.yaml",
        ".Values.secretsPrefix }}",
        '.Values.secretsPrefix | default "bookedbarber" }}',
    ),
)


@fault(
    "environment-without-values",
    expect_fail=["D-12.2.2"],
    touches=["checkout/helm/bookedbarber/values-staging.yaml"],
    title="staging has no values of its own",
)
def environment_without_values(r: Rehearsal) -> None:
    _values(r).rename(_values(r).with_suffix(".txt"))


@environment_without_values.revert
def give_staging_its_values(r: Rehearsal) -> None:
    _values(r).with_suffix(".txt").rename(_values(r))


def _values(r: Rehearsal) -> Path:
    return release.migrations(r).parent / CHART / "values-staging.yaml"


# -- service mesh ------------------------------------------------------------------------------

edited(
    "mesh-annotation-left",
    ["D-12.2.3"],
    "the backend's pods ask for a mesh's sidecar, and there is no mesh by signature",
    (
        f"{CHART}/templates/backend.yaml",
        "  template:\n    metadata:\n",
        '  template:\n    metadata:\n      annotations: {sidecar.istio.io/inject: "true"}\n',
    ),
)
edited(
    "mutual-tls-permissive",
    ["D-12.2.3"],
    "a mesh's PeerAuthentication is PERMISSIVE",
    ("k8s/namespace.yaml", "enforce: restricted\n", f"enforce: restricted\n{_PERMISSIVE}"),
)

made = Stating(__name__)
made.stated("no-mesh-unsigned", "D-12.2.3", [], "nobody has signed that there is no mesh")
made.stated(
    "no-mesh-signed-by-one",
    "D-12.2.3",
    [entry("technical_lead", text=NO_MESH)],
    "the Technical Lead alone has signed that there is no mesh",
)
made.stated(
    "no-mesh-expired",
    "D-12.2.3",
    [
        entry(role, text=NO_MESH, made_ago_s=3 * DAY_S, holds_s=DAY_S)
        for role in ("technical_lead", "executive_team")
    ],
    "that there is no mesh was signed until two days ago",
)


# -- network policies --------------------------------------------------------------------------

POLICIES = "k8s/network-policies.yaml"
_DENY = "  podSelector: {}\n  policyTypes: [Ingress, Egress]"
_FRONTEND = """  name: frontend
  namespace: bookedbarber
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: frontend}
"""
edited(
    "default-deny-egress-missing",
    ["D-12.2.4"],
    "no policy denies what pods send",
    (POLICIES, _DENY, _DENY.replace(", Egress", "")),
)
edited(
    "policy-selects-no-pod",
    ["D-12.2.4"],
    "the frontend's policy selects by a label that no pod has",
    (POLICIES, _FRONTEND, _FRONTEND.replace("name: frontend}", "name: front-end}")),
)
frontend_reaches_database = edited(
    "frontend-reaches-database",
    ["D-12.2.4"],
    "a policy lets the frontend reach the database",
    (POLICIES, _FRONTEND + "  policyTypes: [Ingress]\n", _FRONTEND + _TO_DATABASE),
    touches=[f"checkout/{POLICIES}", "zones"],
    after=lambda r: r.restart("zones"),
)


@fault(
    "policies-not-enforced",
    expect_fail=["D-12.2.4"],
    touches=["zones"],
    title="the network keeps nobody out, whatever the policies say",
)
def policies_not_enforced(r: Rehearsal) -> None:
    r.override("zones", enforced=False)
    r.restart("zones")


@policies_not_enforced.revert
def enforce_policies(r: Rehearsal) -> None:
    r.clear_override("zones", "enforced")
    r.restart("zones")


@fault(
    "pooler-cut-off",
    expect_fail=["D-12.2.4"],
    touches=["zones"],
    title="the backend cannot reach the pooler, which the policies allow",
)
def pooler_cut_off(r: Rehearsal) -> None:
    r.override("zones", cut_off=[["backend", "pgbouncer"]])
    r.restart("zones")


@pooler_cut_off.revert
def let_the_backend_reach_the_pooler(r: Rehearsal) -> None:
    r.clear_override("zones", "cut_off")
    r.restart("zones")


# -- quotas ------------------------------------------------------------------------------------

edited(
    "quota-below-maximum",
    ["D-12.2.5"],
    "the quota has fewer processors than all workloads want at their maximum",
    ("k8s/quota.yaml", 'requests.cpu: "16"', 'requests.cpu: "10"'),
)
edited(
    "limit-range-missing",
    ["D-12.2.5"],
    "the chart makes no LimitRange",
    (f"{CHART}/templates/quota.yaml", _LIMIT_RANGE, "{{- if false }}\n" + _LIMIT_RANGE),
    (f"{CHART}/templates/quota.yaml", "memory: 4Gi}", "memory: 4Gi}\n{{- end }}"),
)
edited(
    "requests-doubled",
    ["D-12.2.5"],
    "the backend's pods ask for twice as much in the chart",
    (
        f"{CHART}/values.yaml",
        "requests: {cpu: 500m, memory: 512Mi}",
        "requests: {cpu: 1, memory: 1Gi}",
    ),
)
edited(
    "quota-without-pods",
    ["D-12.2.5"],
    "the quota does not limit the number of pods",
    ("k8s/quota.yaml", '    pods: "40"\n', ""),
)


@fault(
    "account-limit-too-low",
    expect_fail=["D-12.2.5"],
    touches=["aws/limits"],
    title="the cloud account may not run as many processors as the nodes have at their most",
)
def account_limit_too_low(r: Rehearsal) -> None:
    r.override("aws", vcpu_limit=16)


@account_limit_too_low.revert
def raise_the_account_limit(r: Rehearsal) -> None:
    r.clear_override("aws", "vcpu_limit")
