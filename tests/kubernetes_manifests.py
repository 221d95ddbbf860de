#!/usr/bin/env python3
"""Are the manifests of deploy/k8s what Kubernetes and the two operators accept? Needs no cluster.

    python3 -m pip install -r tests/kubernetes_requirements.txt
    python3 tests/kubernetes_manifests.py

Every kustomization is built (kubectl kustomize), and every resource of it held against its schema:
Kubernetes' own from the package kubernetes-validate, those of the operators from deploy/k8s/schemas.
A field that the schema does not know is a fault. Beyond the schemas: names that one resource uses
and another declares (selectors, ports, config maps' scripts) have to meet.

Exit code 0: all sound; 1: faults, one a line; 3: something that the check needs is missing.
"""

import copy
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MANIFESTS = ROOT / "deploy/k8s"
# A version that every managed offering still supports, and the newest in the package.
KUBERNETES = ("1.31", "1.37")
# Fields of any form, by Kubernetes' own mark.
ANY_SHAPE = "x-kubernetes-preserve-unknown-fields"

try:
    import jsonschema
    import kubernetes_validate
    import yaml
except ImportError as missing:
    print(f"manifests: {missing}; pip install -r tests/kubernetes_requirements.txt", file=sys.stderr)
    sys.exit(3)


def build(folder):
    """The resources of a kustomization."""
    try:
        built = subprocess.run(
            ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        print("manifests: kubectl is not installed (Debian: kubernetes-client)", file=sys.stderr)
        sys.exit(3)
    if built.returncode != 0:
        sys.exit(f"manifests: {folder} cannot be built: {built.stderr}")
    return [each for each in yaml.safe_load_all(built.stdout) if each]


def closed(schema):
    """The schema with every object closed: what it does not name is a fault."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        if not schema.get(ANY_SHAPE) and "additionalProperties" not in schema:
            result["additionalProperties"] = False
    return result


def operator_schema(resource):
    """The schema of an operator's resource; None for one of Kubernetes' own."""
    name = "{}-{}.json".format(
        resource["apiVersion"].replace("/", "-"), resource["kind"].lower()
    )
    path = MANIFESTS / "schemas" / name
    if not path.exists():
        return None
    schema = json.loads(path.read_text())
    # An object's metadata is defined by Kubernetes itself and left open by the definitions.
    schema["properties"]["metadata"] = {"type": "object", ANY_SHAPE: True}
    return closed(schema)


def faults(resource):
    """What the resource's schema has against it, a line each."""
    schema = operator_schema(resource)
    if schema is not None:
        found = jsonschema.Draft202012Validator(schema).iter_errors(resource)
        return [f"{each.json_path}: {each.message}" for each in found]
    result = []
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(resource, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(each) for each in error.path)
            result.append(f"{path}: {error.message} (Kubernetes {version})")
        except kubernetes_validate.SchemaNotFoundError as error:
            result.append(error.message)
    return result


def name(resource):
    return f"{resource['kind']}/{resource['metadata']['name']}"


def of_kind(resources, kind):
    return [each for each in resources if each["kind"] == kind]


def chosen(selector, labels):
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def unmet(resources):
    """Names that are used and not declared."""
    pods = {
        name(each): each["spec"]["template"] for each in of_kind(resources, "Deployment")
    }
    services = of_kind(resources, "Service")
    for service in services:
        selector = service["spec"]["selector"]
        behind = [pod for pod in pods.values() if chosen(selector, pod["metadata"]["labels"])]
        if not behind:
            yield f"{name(service)} selects no pod"
        for port in service["spec"]["ports"]:
            offered = {
                each["name"] for pod in behind for container in pod["spec"]["containers"]
                for each in container["ports"]
            }
            if port["targetPort"] not in offered:
                yield f"{name(service)} leads to port {port['targetPort']}, which no pod names"
    for monitor in of_kind(resources, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        watched = [each for each in services if chosen(selector, each["metadata"]["labels"])]
        ports = {port["name"] for each in watched for port in each["spec"]["ports"]}
        if not watched:
            yield f"{name(monitor)} selects no service"
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint["port"] not in ports:
                yield f"{name(monitor)} scrapes port {endpoint['port']}, which no service names"
    for policy in of_kind(resources, "NetworkPolicy") + of_kind(resources, "PodDisruptionBudget"):
        spec = policy["spec"]
        selector = spec.get("podSelector", spec.get("selector", {})).get("matchLabels", {})
        if not any(chosen(selector, pod["metadata"]["labels"]) for pod in pods.values()):
            yield f"{name(policy)} selects no pod"
    for each in of_kind(resources, "Deployment"):
        if each["spec"]["template"]["spec"].get("enableServiceLinks") is not False:
            yield f"{name(each)} gets a variable for each service of the namespace"
    for run in of_kind(resources, "TestRun"):
        script = run["spec"]["script"]["configMap"]["file"]
        if not (ROOT / "tests/k6" / script).exists():
            yield f"{name(run)} runs {script}, which is not in tests/k6"


def toothless(resource):
    """A fault put into the resource that its schema does not find; None: it bites."""
    for path, value in ((("spec", "no_such_field"), 1), (("kind_",), "x"), (("spec",), "text")):
        broken = copy.deepcopy(resource)
        holder = broken
        for key in path[:-1]:
            holder = holder.setdefault(key, {})
        holder[path[-1]] = value
        if not faults(broken):
            return f"its schema does not find {'.'.join(path)}: {value!r}"
    return None


def main():
    folders = sorted(path.parent for path in MANIFESTS.rglob("kustomization.yaml"))
    resources, found = [], []
    for folder in folders:
        for resource in build(folder):
            resources.append(resource)
            found += [f"{name(resource)}: {fault}" for fault in faults(resource)]
            blunt = toothless(resource)
            found += [f"{name(resource)}: {blunt}"] if blunt else []
    found += unmet(resources)
    for fault in found:
        print(f"manifests: {fault}", file=sys.stderr)
    print(f"manifests: {len(resources)} resources of {len(folders)} kustomizations, {len(found)} errors")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
