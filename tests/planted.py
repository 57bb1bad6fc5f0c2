"""Planted secrets: kinds that people leak, made up here from pieces, independent of the rules' own samples."""

from __future__ import annotations

import base64
import json
import random
import string
from typing import NamedTuple

_CHANCE = random.Random(20261122)
_LETTERS = string.ascii_letters + string.digits


def body(length: int, alphabet: str = _LETTERS) -> str:
    return "".join(_CHANCE.choice(alphabet) for _ in range(length))


class Planted(NamedTuple):
    kind: str
    line: str
    secret: str


def plant(kind: str, template: str, secret: str) -> Planted:
    return Planted(kind, template.replace("%", secret), secret)


_UPPER, _HEX, _LOWER = string.ascii_uppercase + string.digits, "0123456789abcdef", string.ascii_lowercase
_DIGITS = string.digits
_SLACK = "https://hooks.slack.com" + "/services"
_OPENSSH = [f"-----{word} OPENSSH PRIVATE KEY-----" for word in ("BEGIN", "END")]
_PEM = "\n".join(body(64) for _ in range(4))

PLANTED = [
    plant("aws access key", "export AWS_ACCESS_KEY_ID=%", "AK" + "IA" + body(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
    plant("aws secret key", "aws_secret_access_key = %", body(40)),
    plant("github classic", "git clone with % now", "gh" + "p_" + body(36)),
    plant("github oauth", "token: %", "gh" + "o_" + body(36)),
    plant("github server", "GITHUB_TOKEN=%", "gh" + "s_" + body(36)),
    plant("github fine-grained", "use % here", "github" + "_pat_" + body(22) + "_" + body(59)),
    plant("gitlab", "PRIVATE-TOKEN: %", "gl" + "pat-" + body(20)),
    plant("slack bot", "slack says %", "-".join(["xo" + "xb", body(12, _DIGITS), body(12, _DIGITS), body(24)])),
    plant("slack webhook", "post to %", f"{_SLACK}/T{body(8, _UPPER)}/B{body(8, _UPPER)}/{body(24)}"),
    plant("stripe live", "stripe.api_key = '%'", "sk" + "_live_" + body(24)),
    plant("stripe restricted", "key %", "rk" + "_live_" + body(24)),
    plant("openai", "OPENAI_API_KEY=%", "sk-" + "proj-" + body(48)),
    plant("anthropic", "ANTHROPIC_API_KEY=%", "sk-" + "ant-api03-" + body(93) + "AA"),
    plant("google api", "maps?key=%", "AI" + "za" + body(35)),
    plant("npm", "//registry/:_authToken=%", "npm" + "_" + body(36)),
    plant("pypi", "password = %", "pypi-" + "AgEIcHlwaS5vcmc" + body(80)),
    plant("hugging face", "login %", "hf" + "_" + body(34, string.ascii_letters)),
    plant("databricks", "token %", "dapi" + body(32, _HEX)),
    plant("digitalocean", "doctl auth init -t %", "dop" + "_v1_" + body(64, _HEX)),
    plant("sendgrid", "SENDGRID=%", "SG." + body(22) + "." + body(43)),
    plant("twilio", "TWILIO_API_KEY=%", "SK" + body(32, _HEX)),
    plant("mailgun", "mailgun key-% api".replace("key-%", "%"), "key-" + body(32, _HEX)),
    plant("telegram bot", "https://api.telegram.org/bot%/getMe", body(10, "123456789") + ":AA" + body(33)),
    plant("discord webhook", "curl %", "https://discord.com/api/webhooks/" + body(18, string.digits) + "/" + body(68)),
    plant("shopify", "shop %", "shp" + "at_" + body(32, _HEX)),
    plant("square", "square %", "sq0" + "atp-" + body(22)),
    plant("vault", "VAULT_TOKEN=%", "hvs." + body(90)),
    plant("terraform cloud", "token = %", body(14) + ".atlasv1." + body(64)),
    plant("linear", "linear %", "lin" + "_api_" + body(40)),
    plant("notion", "NOTION=%", "ntn" + "_" + body(46)),
    plant("supabase", "supabase %", "sb" + "_secret_" + body(31)),
    plant("grafana", "grafana %", "gl" + "sa_" + body(32) + "_" + body(8, _HEX)),
    plant("new relic", "NEW_RELIC %", "NRAK-" + body(27, _UPPER)),
    plant("jwt", "Cookie: session=%", "eyJhbGciOiJIUzI1NiJ9.eyJ" + body(40) + "." + body(43)),
    plant("bearer", "Authorization: Bearer %", body(40)),
    plant("basic", "Authorization: Basic %", base64.b64encode(f"deploy:{body(18)}".encode()).decode()),
    plant("url password", "postgres://app:%@db.internal:5432/shop", body(20)),
    plant("url without user", "redis://:%@cache:6379/0", body(20)),
    plant("pem", "-----BEGIN RSA PRIVATE KEY-----\n%\n-----END RSA PRIVATE KEY-----", _PEM),
    plant("openssh key", "\n%\n".join(_OPENSSH), body(64) + "\n" + body(64)),
    plant("env password", "DB_PASSWORD=%", body(18)),
    plant("json password", '{"user": "app", "password": "%"}', body(18)),
    plant("yaml secret", "client_secret: %", body(32)),
    plant("flag", "mysql --user app --password %", body(18)),
    plant("azure storage", "AccountName=shop;AccountKey=%;EndpointSuffix=core.windows.net", body(86) + "=="),
    plant("age key", "age: %", "AGE-SECRET-KEY-1" + body(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L")),
    plant("json in a string", json.dumps({"env": json.dumps({"API_TOKEN": "%"})}), body(32)),
]


def fragments(secret: str) -> list[str]:
    """The parts of a secret to search for: each line of a long one by itself, as an escape may part them."""
    return secret.split("\n")
