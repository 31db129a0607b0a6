"""Gives schemathesis a key that stays valid and identifiers that exist.

A generated request may rotate or revoke the key that it uses; the next one needs another key. A generated identifier does not exist, so that no handler
would get past the lookup: half of the identifiers are replaced by one of `CONTRACT_IDS`, which belong to the tenant and to another one.
"""

import json
import os
import re
import subprocess
from datetime import datetime, timedelta, timezone

import schemathesis

IDS = json.loads(os.environ["CONTRACT_IDS"])
GROUPS = json.loads(os.environ["CONTRACT_GROUPS"])


def new_key():
    """Creates a key with the command line while the server runs."""
    command = [os.environ["CONTRACT_BIN"], "key", "create", "--json", "--name", "Schemathesis"]
    command += ["--tenant", os.environ["CONTRACT_TENANT"], "--group", "Everything"]
    tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).date().isoformat()
    # A generated security policy can require a date.
    for dates in ([], ["--expires", tomorrow]):
        made = subprocess.run(command + dates, capture_output=True, text=True)
        if made.returncode == 0:
            return json.loads(made.stdout)
    raise RuntimeError(made.stderr)


class Current:
    """The key of the next request."""

    key = new_key()


@schemathesis.auth(refresh_interval=None)
class PresentedKey:
    def get(self, case, ctx):
        return Current.key["secret"]

    def set(self, case, data, ctx):
        case.headers = case.headers or {}
        case.headers["X-API-Key"] = data


@schemathesis.hook
def after_call(ctx, case, response):
    if response.status_code != 200 or case.method != "POST":
        return
    if case.path == "/api/v1/whoami/rotate":
        Current.key["secret"] = json.loads(response.content)["secret"]
    elif case.path == "/api/v1/whoami/revoke":
        Current.key = new_key()
    elif case.path.endswith("/revoke") and json.loads(response.content)["id"] == Current.key["id"]:
        Current.key = new_key()


def real(text, things):
    """Replaces half of all texts by one of `things`: the same text always by the same one."""
    number = sum(text.encode())
    return things[number // 2 % len(things)] if number % 2 == 0 else text


def real_id(text, ids):
    """Replaces half of all valid identifiers by one of `ids`; invalid ones stay as they are."""
    is_id = isinstance(text, str) and re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text)
    return real(text, ids) if is_id else text


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    if path_parameters and "id" in path_parameters:
        path_parameters["id"] = real_id(path_parameters["id"], IDS)
    return path_parameters


def is_empty(value):
    """Whether a value becomes an empty query parameter; an object does."""
    if isinstance(value, list):
        return all(map(is_empty, value))
    return value is None or value == "" or isinstance(value, dict)


@schemathesis.hook
def filter_case(ctx, case):
    """Skips requests that the document cannot describe.

    An empty parameter counts as a missing one. Gateways forward the client's method, also QUERY and TRACE; OpenAPI 3.1 has no QUERY, and the
    document leaves out TRACE, because a client that is generated with it does not compile.
    """
    is_undeclared = case.method.upper() in ("QUERY", "TRACE")
    return not any(map(is_empty, (case.query or {}).values())) and not is_undeclared


def harmless(policy):
    """Keeps a security policy from refusing the keys of all later requests: it admits the loopback address and requires no expiration date."""
    if isinstance(policy.get("ip_allowlist"), list) and policy["ip_allowlist"]:
        policy["ip_allowlist"] = policy["ip_allowlist"][:999] + ["127.0.0.1"]
    if policy.get("expiration_required") is True:
        policy["expiration_required"] = False
    if isinstance(policy.get("max_lifetime_days"), int):
        policy["max_lifetime_days"] = None
    return policy


@schemathesis.hook
def map_body(ctx, body):
    if isinstance(body, dict) and ctx.operation.path == "/api/v1/security-policy":
        return harmless(body)
    if isinstance(body, dict) and "authorization_group_id" in body:
        body["authorization_group_id"] = real_id(body["authorization_group_id"], GROUPS)
    if isinstance(body, dict) and isinstance(body.get("secret"), str):
        body["secret"] = real(body["secret"], [Current.key["secret"]])
    return body


@schemathesis.check
def problem_code_is_documented(ctx, response, case):
    """Checks that the document lists the code of a problem for the response."""
    responses = case.operation.definition.raw["responses"]
    documented = responses.get(str(response.status_code), {}).get("x-codes")
    if documented is None or not response.content:
        return
    code = json.loads(response.content)["code"]
    assert code in documented, f"{code} is not among {documented}"
