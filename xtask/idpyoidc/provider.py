"""Runs idpyoidc for the tests of single sign-on, on a free loopback port.

The argument is JSON: `client_id`, `client_secret`, `callback`, and `accounts`, the claims of each person by subject. Prints the issuer when it is
ready, and stops when standard input ends. There is no sign-in page: the person is the one whom `POST /person` named last.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.oidc.authorization import Authorization
from idpyoidc.server.oidc.provider_config import ProviderConfiguration
from idpyoidc.server.oidc.token import Token
from idpyoidc.server.oidc.userinfo import UserInfo as UserInfoEndpoint
from idpyoidc.server.user_info import UserInfo

CONFIG = json.loads(sys.argv[1])
CLIENT_ID = CONFIG["client_id"]
ACCOUNTS = CONFIG["accounts"]


def server_at(issuer):
    """The provider with this issuer URL."""
    configuration = {
        "issuer": issuer,
        "httpc_params": {"verify": False},
        "preference": {"subject_types_supported": ["public"]},
        "scopes_to_claims": {
            "openid": ["sub", "tenant", "groups"],
            "email": ["email", "email_verified"],
            "profile": ["name"],
        },
        "claims_interface": {"class": "idpyoidc.server.session.claims.ClaimsInterface", "kwargs": {}},
        "token_handler_args": {
            "code": {"lifetime": 60},
            "token": {
                "class": "idpyoidc.server.token.jwt_token.JWTToken",
                "kwargs": {"lifetime": 600, "aud": [issuer]},
            },
            "id_token": {
                "class": "idpyoidc.server.token.id_token.IDToken",
                "kwargs": {"lifetime": 300},
            },
        },
        "key_conf": {
            "key_defs": [
                {"type": "EC", "crv": "P-256", "use": ["sig"]},
                {"type": "RSA", "key": "", "use": ["sig"]},
            ],
            "uri_path": "keys",
        },
        "endpoint": {
            "provider_config": {
                "path": ".well-known/openid-configuration",
                "class": ProviderConfiguration,
                "kwargs": {},
            },
            "authorization": {"path": "authorization", "class": Authorization, "kwargs": {}},
            "token": {
                "path": "token",
                "class": Token,
                "kwargs": {"client_authn_method": ["client_secret_basic", "client_secret_post"]},
            },
            "userinfo": {"path": "userinfo", "class": UserInfoEndpoint, "kwargs": {}},
        },
        "userinfo": {"class": UserInfo, "kwargs": {"db": ACCOUNTS}},
        "authentication": {
            "anon": {
                "acr": "urn:latchkey:test",
                "class": "idpyoidc.server.user_authn.user.NoAuthn",
                "kwargs": {"user": "nobody"},
            },
        },
        "add_on": {
            "pkce": {
                "function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                "kwargs": {"essential": True, "code_challenge_methods": {"S256": {}}},
            },
        },
    }
    server = Server(OPConfiguration(conf=configuration, base_path=os.getcwd()), cwd=os.getcwd())
    server.context.cdb[CLIENT_ID] = {
        "client_id": CLIENT_ID,
        "client_secret": CONFIG["client_secret"],
        "redirect_uris": [(CONFIG["callback"], "")],
        "token_endpoint_auth_method": "client_secret_basic",
        "response_types_supported": ["code"],
        "allowed_scopes": ["openid", "email", "profile"],
        "scopes_to_claims": configuration["scopes_to_claims"],
    }
    server.keyjar.add_symmetric(CLIENT_ID, CONFIG["client_secret"])
    return server


class Handler(BaseHTTPRequestHandler):
    """Passes requests to the endpoints of the provider."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        """Writes no access log."""

    def do_GET(self):
        """Handles the discovery document, the keys, the authorization and the userinfo."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/keys":
            self.send(200, SERVER.keyjar.export_jwks_as_json(""), "application/json")
        elif url.path == "/.well-known/openid-configuration":
            self.run("provider_config", {})
        elif url.path == "/authorization":
            self.run("authorization", query)
        elif url.path == "/userinfo":
            self.run("userinfo", {})
        else:
            self.send(404, "", "text/plain")

    def do_POST(self):
        """Handles the token endpoint and the choice of the person."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if self.path == "/person":
            SERVER.context.authn_broker.db["anon"]["method"].user = body
            self.send(204, "", "text/plain")
        elif self.path == "/token":
            self.run("token", {name: values[0] for name, values in parse_qs(body).items()})
        else:
            self.send(404, "", "text/plain")

    def run(self, name, parameters):
        """Runs an endpoint and sends its response."""
        endpoint = SERVER.get_endpoint(name)
        headers = {key.lower(): value for key, value in self.headers.items()}
        info = {"headers": headers, "method": self.command, "url": f"{SERVER.issuer}{self.path}"}
        with LOCK:
            request = endpoint.parse_request(parameters, http_info=info)
            arguments = request
            if "error" not in request:
                arguments = endpoint.process_request(request, http_info=info)
            if "error" in arguments and "return_uri" not in arguments:
                self.send(400, json.dumps({"error": arguments["error"]}), "application/json")
                return
            response = endpoint.do_response(request=request, **arguments)
        body = response["response"]
        if response.get("response_placement", endpoint.response_placement) == "url":
            self.send(303, "", "text/plain", [("Location", body)])
        else:
            kind = dict(response.get("http_headers", [])).get("Content-type", "application/json")
            self.send(200, body if isinstance(body, str) else json.dumps(body), kind)

    def send(self, status, body, kind, headers=()):
        """Sends a response."""
        content = body.encode()
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(content))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


LISTENER = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
LOCK = threading.Lock()
SERVER = server_at(f"http://127.0.0.1:{LISTENER.server_port}")
threading.Thread(target=LISTENER.serve_forever, daemon=True).start()
print(SERVER.issuer, flush=True)
sys.stdin.read()
