"""Uses the client that openapi-generator generates for Python: create, list, verify, rotate, revoke."""

import os

import openapi_client
from openapi_client import KeyStatus, ProblemCode
from openapi_client.exceptions import ConflictException

configuration = openapi_client.Configuration(host=os.environ["LATCHKEY_URL"])
configuration.api_key["api_key"] = os.environ["LATCHKEY_KEY"]

with openapi_client.ApiClient(configuration) as client:
    keys = openapi_client.APIKeysApi(client)
    verification = openapi_client.VerificationApi(client)

    body = openapi_client.NewKeyBody(name="Python client", authorization_group_id=os.environ["LATCHKEY_GROUP"])
    created = keys.create_api_key(body)
    assert created.secret

    listed = keys.list_api_keys(q="Python client", status=KeyStatus.ACTIVE)
    assert [key.id for key in listed.items] == [created.id]

    def verify(secret):
        return verification.verify_api_key(openapi_client.VerifyBody(secret=secret)).actual_instance

    assert verify(created.secret).key.id == created.id
    rotated = keys.rotate_api_key(created.id)
    assert rotated.secret != created.secret
    assert verify(created.secret).code == ProblemCode.INVALID_API_KEY
    assert keys.revoke_api_key(created.id).status == KeyStatus.REVOKED
    assert verify(rotated.secret).code == ProblemCode.REVOKED_API_KEY
    try:
        keys.rotate_api_key(created.id)
    except ConflictException as failure:
        assert failure.data.code == ProblemCode.KEY_REVOKED, failure
    else:
        raise AssertionError("a revoked key cannot be rotated")
