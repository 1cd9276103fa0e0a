module policy-platform.local/kyverno

go 1.26

tool github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno
replace k8s.io/pod-security-admission v0.31.0 => github.com/kyverno/pod-security-admission v0.0.0-20240715131510-7fb54a8d376d

require github.com/kyverno/kyverno v1.13.2
