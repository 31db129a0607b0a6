"""Uses the client that openapi-python-client generates: create, list, verify, rotate, revoke."""

import os
from uuid import UUID

from latchkey_client import AuthenticatedClient
from latchkey_client.api.api_keys import create_api_key, list_api_keys, revoke_api_key, rotate_api_key
from latchkey_client.api.verification import verify_api_key
from latchkey_client.models import KeyStatus, NewKeyBody, Problem, ProblemCode, VerifyBody

client = AuthenticatedClient(
    base_url=os.environ["LATCHKEY_URL"], token=os.environ["LATCHKEY_KEY"], prefix="", auth_header_name="X-API-Key"
)

with client:
    body = NewKeyBody(name="Another Python client", authorization_group_id=UUID(os.environ["LATCHKEY_GROUP"]))
    created = create_api_key.sync(client=client, body=body)
    assert created.secret, created

    listed = list_api_keys.sync(client=client, q="Another Python client", status=KeyStatus.ACTIVE)
    assert [key.id for key in listed.items] == [created.id], listed

    def verify(secret):
        return verify_api_key.sync(client=client, body=VerifyBody(secret=secret))

    assert verify(created.secret).key.id == created.id
    rotated = rotate_api_key.sync(created.id, client=client)
    assert rotated.secret != created.secret, rotated
    assert verify(created.secret).code == ProblemCode.INVALID_API_KEY
    assert revoke_api_key.sync(created.id, client=client).status == KeyStatus.REVOKED
    assert verify(rotated.secret).code == ProblemCode.REVOKED_API_KEY
    problem = rotate_api_key.sync(created.id, client=client)
    assert isinstance(problem, Problem) and problem.code == ProblemCode.KEY_REVOKED, problem
