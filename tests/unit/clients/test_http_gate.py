"""Who may come in, from where, and with which right."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api_service import Api, a_service, running_api
from casparian_flow.clients.http.app import make_app
from casparian_flow.clients.http.gate import host_name
from casparian_flow.clients.http.server import serve, tcp_listener, tls_context, unix_listener
from casparian_flow.core.errors import HomeBusy, UsageError
from casparian_flow.core.scopes import Scope, allows
from casparian_flow.settings import Home
from product import ProductHere, ask_here


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api")) as running:
        yield running


def token(api: Api, name: str, *scopes: str) -> dict[str, str]:
    """The header of a new token."""
    said = api.change("/v1/token/add", {"name": name, "scopes": scopes}, f"add-{name}")
    assert said.status == 200, said.body
    return {"Authorization": f"Bearer {said.json['secret']}"}


def test_over_tcp_nobody_is_let_in_without_a_token(api: Api) -> None:
    for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        for path in ("/v1/status", "/v1/nothing", "/metrics", "/v1/openapi.json", "/v1/events"):
            said = api.get(path, tcp=True, headers=given)
            assert (said.status, said.json["code"]) == (401, "unauthenticated"), path
            assert said.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_opens_what_its_scopes_say(api: Api) -> None:
    reader, operator = token(api, "reader", "read"), token(api, "operator", "operate")
    approver, admin = token(api, "approver", "approve"), token(api, "admin", "admin")
    asked = {
        "/v1/rules/list": {},
        "/v1/rules/remove": {"rule": 7},
        "/v1/contract/approve": {
            "contract": 7,
            "digest": "d",
            "at": 1,
            "key": "k",
            "signature": base64.b64encode(bytes(64)).decode(),
        },
        "/v1/token/list": {},
    }

    def statuses(headers: dict[str, str]) -> list[int]:
        given = {**headers, "If-Match": "*"}
        name = headers["Authorization"]
        return [
            api.change(path, body, f"{path}{name[-9:]}", tcp=True, headers=given).status for path, body in asked.items()
        ]

    assert statuses(reader) == [200, 403, 403, 403]
    assert statuses(operator) == [200, 404, 403, 403]
    assert statuses(approver) == [200, 403, 404, 403]
    assert statuses(admin) == [200, 404, 404, 200]


def test_a_reader_cannot_have_files_of_the_machine_read_or_written(api: Api) -> None:
    reader = token(api, "outsider", "read")
    operator = token(api, "insider", "operate")
    for path, body in (
        ("/v1/inspect", {"path": "/etc/hostname"}),
        ("/v1/preview/raw", {"path": "/etc/hostname"}),
        ("/v1/sql", {"query": "SELECT 1", "to": "/tmp/out.csv"}),
        ("/v1/export", {"table": "t"}),
        ("/v1/parser/test", {"parser": "/tmp/parser.py"}),
    ):
        assert api.ask("POST", path, body, tcp=True, headers=reader).json["code"] == "scope-missing", path
    assert api.ask("POST", "/v1/sql", {"query": "SELECT 1"}, tcp=True, headers=reader).status == 200
    assert api.get("/v1/inspect?path=/etc/hostname", tcp=True, headers=reader).status == 403
    assert api.get("/v1/inspect?path=/etc/hostname", tcp=True, headers=operator).status == 200


@pytest.mark.parametrize(("query", "status"), [("state=open", 200), ("state=null", 422), ("code=null", 200)])
def test_a_query_leaves_out_what_is_null_instead_of_saying_so(api: Api, query: str, status: int) -> None:
    assert api.get(f"/v1/quarantine/list?{query}").status == status


def test_asking_with_get_never_writes_a_file(api: Api) -> None:
    assert api.get("/v1/export?table=t").status == 405
    said = api.get("/v1/sql?query=SELECT+1&to=out.csv")
    assert (said.status, said.json["where"]) == (422, "to")
    assert not (api.home.path / "out.csv").exists()


def test_a_revoked_token_opens_nothing_from_the_next_request_on(api: Api) -> None:
    given = token(api, "brief", "read")
    assert api.get("/v1/status", tcp=True, headers=given).status == 200
    assert api.change("/v1/token/revoke", {"name": "brief"}, "revoke-brief").status == 200
    assert api.get("/v1/status", tcp=True, headers=given).status == 401


def test_the_secret_of_a_token_is_kept_nowhere(api: Api) -> None:
    body = {"name": "once", "scopes": ["read"]}
    first = api.change("/v1/token/add", body, "once")
    again = api.change("/v1/token/add", body, "once")
    assert (first.status, again.status, again.json["code"]) == (200, 409, "key-in-use")
    secret = first.json["secret"].encode()
    for path in api.home.path.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes(), path


def test_a_page_of_another_site_cannot_ask(api: Api) -> None:
    given = token(api, "browser", "admin")
    for tcp, extra in ((True, given), (False, {})):
        for headers in (
            {"Host": "evil.example"},
            {"Host": "evil.example:80"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            for path in ("/v1/status", "/health/live", "/nothing", "/metrics"):
                said = api.get(path, tcp=tcp, headers={**extra, **headers})
                assert (said.status, said.json["code"]) == (403, "request-invalid"), (path, headers)
    own = {**given, "Origin": f"http://127.0.0.1:{api.port}", "Sec-Fetch-Site": "same-origin"}
    assert api.get("/v1/status", tcp=True, headers=own).status == 200
    assert "access-control-allow-origin" not in api.get("/v1/status", tcp=True, headers=own).headers


@pytest.mark.parametrize("path", ["/v1/status", "/nothing", "/health", "/v1/rules/add"])
def test_every_answer_says_that_it_is_neither_to_be_kept_nor_to_be_guessed_at(api: Api, path: str) -> None:
    headers = api.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_a_token_in_a_url_is_refused(api: Api) -> None:
    said = api.get("/v1/status?access_token=cf_abc", tcp=True)
    assert (said.status, said.json["where"]) == (400, "query")
    assert b"cf_abc" not in said.body


def test_where_a_local_asker_stands_decides_what_a_relative_path_means(api: Api) -> None:
    (api.home.path.parent / "here").mkdir()
    (api.home.path.parent / "here" / "a b.csv").write_text("id\n1\n")
    here = str(api.home.path.parent / "here").replace(" ", "%20")
    assert api.get("/v1/inspect?path=a%20b.csv", headers={"Casparian-Cwd": here}).status == 200
    assert api.get("/v1/inspect?path=a%20b.csv").status == 404
    assert api.get("/v1/status", headers={"Casparian-Cwd": "not/absolute"}).status == 400
    assert api.get("/v1/status", tcp=True, headers={**token(api, "far", "read"), "Casparian-Cwd": here}).status == 400


def test_scopes_that_change_let_read_too() -> None:
    assert allows(frozenset({Scope.OPERATE}), Scope.READ)
    assert not allows(frozenset({Scope.OPERATE}), Scope.APPROVE)
    assert not allows(frozenset({Scope.APPROVE}), Scope.OPERATE)
    assert not allows(frozenset(), Scope.READ)
    assert allows(frozenset({Scope.ADMIN}), Scope.APPROVE)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:80", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("evil.example:80", "evil.example"),
        ("localhost:x", "localhost:x"),
        ("localhost.evil.example", "localhost.evil.example"),
        ("", ""),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name


def test_the_socket_is_its_owners_alone(api: Api) -> None:
    assert api.socket.stat().st_mode & 0o777 == 0o600
    with pytest.raises(HomeBusy):
        unix_listener(api.socket)
    open_folder = api.home.path.parent / "open"
    open_folder.mkdir(mode=0o755)
    with pytest.raises(UsageError, match="others can reach"):
        unix_listener(open_folder / "api.sock")


def test_tokens_cross_a_network_only_under_tls() -> None:
    with pytest.raises(UsageError, match="needs TLS"):
        tcp_listener("0.0.0.0", 0, None)


def test_over_tls_a_client_that_trusts_the_certificate_is_served(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, made, made + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    home = Home(tmp_path / "home")
    home.path.mkdir(mode=0o700)
    service = a_service(home)
    listener = tcp_listener("127.0.0.1", 0, tls_context(tmp_path / "cert.pem", tmp_path / "key.pem"))
    running = serve(make_app(service), [listener])
    try:
        port = listener.socket.getsockname()[1]
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        client = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
        client.request("GET", "/v1/status", headers={"Origin": f"https://localhost:{port}"})
        assert client.getresponse().status == 401
        client.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection("localhost", port, timeout=20).connect()
    finally:
        running.stop()
        service.close()
        service.gate.doorkeeper.close()
    assert not running.is_alive
    with pytest.raises(UsageError, match="cannot be used"):
        tls_context(tmp_path / "key.pem", tmp_path / "cert.pem")


def test_a_token_is_made_listed_and_revoked_by_commands(product_here: ProductHere) -> None:
    added = product_here("token", "add", "ci", "--scope", "read", "--days", "3", "--json", expect=[0]).json
    assert added["token"]["scopes"] == ["read"]
    assert added["secret"].startswith("cf_")
    product_here("token", "add", "ci", "--scope", "read", expect=[2])
    assert product_here("token", "revoke", "ci", "--json", expect=[0]).json["is_in_force"] is False
    assert [each["name"] for each in product_here("token", "list", "--json").json["tokens"]] == ["ci"]
    assert product_here("metrics", "--json").json["attempts"] == 0
    assert ask_here("token", "revoke", "nobody", "--home", str(product_here.home)).code in (2, 5)
