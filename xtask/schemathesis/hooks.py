"""What schemathesis cannot know of Latchkey: a key that goes on working, and things that there are.

A generated request may rotate or revoke the key that it is made with; the next one needs another. And a generated identifier names
nothing, so that nothing behind the door of a route would ever be tried: half of them become one of `CONTRACT_IDS`, which are the tenant's
own and another tenant's.
"""

import json
import os
import re
import subprocess

import schemathesis

IDS = json.loads(os.environ["CONTRACT_IDS"])
GROUPS = json.loads(os.environ["CONTRACT_GROUPS"])


def new_key():
    """Makes a key by the command line, beside the running server."""
    command = [os.environ["CONTRACT_BIN"], "key", "create", "--json", "--name", "Schemathesis"]
    command += ["--tenant", os.environ["CONTRACT_TENANT"], "--group", "Everything"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


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
    elif case.path.endswith("/revoke") and json.loads(response.content)["id"] == Current.key["id"]:
        Current.key = new_key()


def real(text, things):
    """One of `things` for half of all texts, always the same for the same text."""
    number = sum(text.encode())
    return things[number // 2 % len(things)] if number % 2 == 0 else text


def real_id(text, ids):
    """One of `ids` for half of all identifiers; what was broken on purpose stays broken."""
    is_id = isinstance(text, str) and re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text)
    return real(text, ids) if is_id else text


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    if path_parameters and "id" in path_parameters:
        path_parameters["id"] = real_id(path_parameters["id"], IDS)
    return path_parameters


def is_empty(value):
    """Whether a value becomes an empty parameter; an object does, in a query."""
    if isinstance(value, list):
        return all(map(is_empty, value))
    return value is None or value == "" or isinstance(value, dict)


@schemathesis.hook
def filter_case(ctx, case):
    """Leaves out what a schema cannot say without accepting it as a value, and what OpenAPI 3.1 has no word for.

    An empty parameter is as good as none. Gateways ask with whatever method the client has, QUERY and TRACE too; the document leaves out
    TRACE, because a client that is generated with it does not compile.
    """
    is_undeclared = case.method.upper() in ("QUERY", "TRACE")
    return not any(map(is_empty, (case.query or {}).values())) and not is_undeclared


@schemathesis.hook
def map_body(ctx, body):
    if isinstance(body, dict) and "authorization_group_id" in body:
        body["authorization_group_id"] = real_id(body["authorization_group_id"], GROUPS)
    if isinstance(body, dict) and isinstance(body.get("secret"), str):
        body["secret"] = real(body["secret"], [Current.key["secret"]])
    return body


@schemathesis.check
def problem_code_is_documented(ctx, response, case):
    """The code of a problem is one of those that the document lists for the response."""
    responses = case.operation.definition.raw["responses"]
    documented = responses.get(str(response.status_code), {}).get("x-codes")
    if documented is None or not response.content:
        return
    code = json.loads(response.content)["code"]
    assert code in documented, f"{code} is not among {documented}"
