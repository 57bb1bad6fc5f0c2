"""The table of what counts as a secret: one rule a kind, each with a planted line and a benign twin.

A rule is tried only where one of its keywords stands, so adding one costs one substring search
(about 0.6 ms a megabyte). The table is in order of precedence: where two rules meet, the upper one
names the marker. Planted lines are put together from pieces, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ledger.core.redaction.assignments import (
    BARE_ESCAPE,
    Accept,
    accept_chosen,
    accept_chosen_or_dense,
    accept_dense,
    assignment,
    vendor_assignment,
)
from ledger.core.redaction.values import (
    is_basic_pair,
    is_chosen_secret,
    is_dense_secret,
    is_filler,
    is_placeholder,
    is_plain_password,
    is_wordy,
)

SECRET_GROUPS = ("secret", "quoted", "bare")


def accept_unless_filler(match: re.Match[str]) -> bool:
    """Accept anything but a token whose body is x's, stars or zeros: its format alone tells the rest."""
    return not is_filler(match[0][-16:])


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of secret: where to look, what it looks like, and a line that shows it.

    `keywords` are lower-case literals, one of which stands in every match. The pattern is matched at the
    keyword, or searched from `before` characters left of it to `after` characters right of it. The
    secret is the group named `secret` (or `quoted`, `bare`), else the whole match. `in_run` promises that the
    keyword stands in a run of 20 or more of `[A-Za-z0-9_.~-]`. `key` and `judge` are for values of mappings:
    a string that `judge` takes for a secret, under a name that `key` finds.
    """

    id: str
    keywords: tuple[str, ...]
    pattern: re.Pattern[str]
    sample: str
    benign: str
    before: int = 0
    after: int = 0
    in_run: bool = False
    accept: Accept = accept_unless_filler
    key: re.Pattern[str] | None = None
    judge: Callable[[str], bool] = is_dense_secret


_MIXED = "q7RzT2mWx9KpLb4NcV8sYd3GhJ6fAe1UoQi5ZtBn0SwXrCkMvDyHgPuEjFaIlO7q" * 3
_HEX = "9f3a7c1e5b8d2046" * 10
_UPPER = "Q7RZT2MWX4KPLB5NCV6SYD3GHJ" * 4
_UUID = "0c7d5e1a-93b4-4f62-a8d1-5b6e7f809a1c"

# A token may follow an escape of the text around it: "\nghp_…", "\u001b[0mghp_…", "%20ghp_…".
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9A-F]{2})|(?<=\[[0-9]m))"
_END = r"(?![A-Za-z0-9])"
# "20 or more" is 20 to 2048 and gives nothing back, so that no line takes longer than its length allows.
_OPEN_END = re.compile(r"\{(\d+),\}")
_SLASH = r"(?:\\*/)"
_BREAK = r"(?:\s|\\+[nrt]|\\+u000[aAdD9])"
# Between two lines of a key: the break, the quotes of code that joins strings, line numbers, quoting marks.
_LINE_NUMBER = rf"(?<=[\s\\nrt>]){_BREAK}*\d{{1,6}}(?:→|\\+u2192|[:|\t])"
_LINE_BREAK = rf"(?>(?:{_BREAK}|\\*[\"']{_BREAK}*[+,.]?{_BREAK}*\\*[\"']|{_LINE_NUMBER}|[>|]){{1,40}})"
# The arguments of one command: up to its end, and on to the next line behind a backslash alone.
_ARGUMENTS = r"(?:[^\n\\;&|]|\\+\r?\n|\\++(?![nr])[^\n]|\\{3,}[nr](?=[ \t]*-)){0,300}?"
_PEM_HEAD = r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
_PEM_BODY = r"(?>(?:\\++[^\s]|[^-\"'{}\\]|-(?!---)|[\"']\s*[+,.]?\s*[\"']){0,16000})"
_PEM_TAIL = r"-{4,5} ?END [A-Z0-9 ]{0,50}-{4,5}"
_PEM_LINE = r"(?:[A-Z][A-Za-z-]{2,20}: [^\s\"'\\]{1,80}|(?>(?:[A-Za-z0-9+]|\\*/){16,})={0,2})"
_PEM_REST = rf"(?>(?:{_LINE_BREAK}{_PEM_LINE})*)"
_PEM_LAST = rf"(?:{_LINE_BREAK}[A-Za-z0-9+/]{{1,15}}={{1,2}})?"


def _token(
    rule_id: str,
    keywords: str,
    regex: str,
    sample: str,
    benign: str,
    *,
    before: int = 0,
    after: int = 0,
    in_run: bool = True,
) -> Rule:
    """A secret that its own prefix gives away; `in_run=False` where a `/`, `+` or `:` may break it up."""
    bounded, is_open = _OPEN_END.subn(r"{\1,2048}+", regex)
    pattern = re.compile(_START + bounded + ("" if is_open else _END))
    return Rule(rule_id, tuple(keywords.split()), pattern, sample, benign, before, after, in_run)


def _vendor(rule_id: str, keywords: str, names: str, value: str, sample: str, benign: str) -> Rule:
    """A secret without a prefix, known by the vendor's name before it."""
    pattern = re.compile(vendor_assignment(names, value))
    return Rule(rule_id, tuple(keywords.split()), pattern, sample, benign)


def _command(rule_id: str, keywords: str, command: str, option: str, *, sample: str, benign: str) -> Rule:
    """A password among the arguments of one command, where the option (regex text) says so."""
    pattern = re.compile(
        rf"(?:(?<![\w.$-])|(?<=\\[nrt])){command}(?=[ \t]){_ARGUMENTS}[ \t]{option}\\*[\"']?"
        r"(?P<secret>(?!-)[^\s\"'\\;&|<>()]{3,200})"
    )
    return Rule(rule_id, tuple(keywords.split()), pattern, sample, benign, accept=_accept_argument)


def _named(
    rule_id: str, keyword: str, word: str, accept: Accept, judge: Callable[[str], bool], sample: str, benign: str
) -> Rule:
    """A value given to a telling name."""
    key = re.compile(rf"(?i){word}(?:s|[_-]?(?:value|key|token|v?\d{{1,3}}))?\Z")
    pattern = re.compile(assignment(word, numbers=accept is accept_chosen))
    return Rule(rule_id, (keyword,), pattern, sample, benign, accept=accept, key=key, judge=judge)


# The ports of a container stand where a password might: `docker run --name mongo -p 27017:27017`.
_PORTS = re.compile(r"[\d.:-]+(?:/(?:tcp|udp))?,?")


def _accept_argument(match: re.Match[str]) -> bool:
    return not is_placeholder(match["secret"]) and _PORTS.fullmatch(match["secret"]) is None


def _is_any_password(value: str) -> bool:
    return is_chosen_secret(value) or is_plain_password(value)


def _is_dense_after_scheme(value: str) -> bool:
    return is_dense_secret(value.rpartition(" ")[2])


def _is_chosen_or_dense(value: str) -> bool:
    return is_chosen_secret(value) or is_dense_secret(value)


def _accept_any(_: re.Match[str]) -> bool:
    return True


def _accept_mixed_case(match: re.Match[str]) -> bool:
    """A digest is hexadecimal; an AWS secret key of 40 characters practically never is."""
    value = match["secret"]
    return any(c.isupper() for c in value) and any(c.islower() for c in value) and any(c.isdigit() for c in value)


def _accept_basic(match: re.Match[str]) -> bool:
    return is_basic_pair(match["secret"])


def _accept_bearer(match: re.Match[str]) -> bool:
    return not is_placeholder(match["secret"][:64]) and not is_wordy(match["secret"][:64])


def _accept_url_password(match: re.Match[str]) -> bool:
    value = match["secret"]
    return not is_placeholder(value) and value.lower() not in ("password", "passwd", "pass", "pwd", "secret", "token")


def _accept_dense_secret(match: re.Match[str]) -> bool:
    return is_dense_secret(match["secret"][:64])


def _accept_chosen_secret(match: re.Match[str]) -> bool:
    return _is_any_password(match["secret"])


_LOGIN_BEFORE = re.compile(rf"login{_BREAK}{{1,4}}[^\s\"'\\]{{1,100}}{_BREAK}{{1,4}}\Z")


def _accept_after_login(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 120) : match.start()]
    return _LOGIN_BEFORE.search(before) is not None and not is_placeholder(match["secret"])


_AUTHORITY = r"(?:://|(?<=[:\\])\\/\\+/)"
_URL_CHAR = rf"(?:[^\s:/?#@\"'`<>\\]|{BARE_ESCAPE})"

_KEYS_AND_BLOCKS = (
    Rule(
        "private-key",
        ("-----begin", "---- begin"),
        re.compile(rf"{_PEM_HEAD}(?:{_PEM_BODY}{_PEM_TAIL}|{_PEM_REST}{_PEM_LAST})"),
        sample=f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{_MIXED[:64]}\n==\n-----END RSA {'PRIVATE'} KEY-----",
        benign=f"-----BEGIN PUBLIC KEY-----\n{_MIXED[:64]}\n-----END PUBLIC KEY-----",
        accept=_accept_any,
    ),
    Rule(
        "putty-private-key",
        ("private-lines:",),
        re.compile(
            rf"(?i:private-lines): ?\d{{1,3}}"
            rf"(?P<secret>(?:{_BREAK}{{1,4}}[A-Za-z0-9+/]{{64}})*{_BREAK}{{1,4}}[A-Za-z0-9+/]{{8,63}}={{0,2}})"
        ),
        sample=f"Private-{'Lines'}: 2\n{_MIXED[:64]}\n{_MIXED[:30]}==",
        benign="Private-Lines: a field of the PuTTY format",
    ),
    _token(
        "age-secret-key",
        "age-secret-key-1",
        r"AGE-SECRET-KEY-1[0-9A-Z]{50,60}",
        f"AGE-{'SECRET'}-KEY-1{_UPPER[:58]}",
        f"age1{_MIXED[:58].lower()}",
    ),
)

_CLOUDS = (
    _token(
        "aws-access-key",
        "akia asia abia acca",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
        f"aws_access_key_id = {'AKIA'}{_UPPER[:16]}",
        "AKIA is how access key ids begin; ASIATIC does too",
    ),
    Rule(
        "aws-secret-key",
        ("secret",),
        re.compile(
            r"(?i:secret_?-?(?:access)?_?-?key)(?i:\\*[\"']?\s{0,4}(?:[:=]{1,2}>?|,)\s{0,4}\\*[\"']?)"
            r"(?P<secret>(?:[A-Za-z0-9+]|\\*/){40})(?![A-Za-z0-9+/=])"
        ),
        sample=f"aws_{'secret'}_access_key = {_MIXED[:20]}/{_MIXED[30:49]}",
        benign="aws_secret_access_key = 2fd4e1c67a2d28fced849ee1bb76e7391b93eb1 (a digest, 39 long)"[:28]
        + "${AWS_SECRET_ACCESS_KEY}",
        accept=_accept_mixed_case,
    ),
    _token(
        "aws-bedrock-key",
        "absk",
        r"ABSKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/]{80,}={0,2}",
        f"{'ABSK'}QmVkcm9ja0FQSUtleS{_MIXED[:110]}",
        "ABSK is a prefix",
    ),
    Rule(
        "signed-url",
        ("signature=", "sig="),
        re.compile(
            r"(?i:(?:(?<=amz-)|(?<=goog-))signature)=(?P<secret>[0-9a-f]{64,512}+)"
            r"|(?<![A-Za-z])sig=(?P<quoted>(?>(?:[A-Za-z0-9+/]|%(?!3[dD])){40,128})(?:=|%3[dD]))"
        ),
        sample=f"https://x.blob.core.windows.net/c?sv=2022-11-02&{'sig'}={_MIXED[:43]}%3D",
        benign="https://x.blob.core.windows.net/c?sv=2022-11-02&sig=abc&config=9f3a7c1e",
    ),
    Rule(
        "azure-storage-key",
        ("key",),
        re.compile(r"(?i:(?:(?<=account)|(?<=access))key)=(?P<secret>(?:[A-Za-z0-9+%]|\\*/){40,}={0,2})"),
        sample=f"DefaultEndpointsProtocol=https;AccountName=x;Account{'Key'}={_MIXED[:86]}==;EndpointSuffix=core",
        benign="AccountName=x;AccountKey=<storage-key>;EndpointSuffix=core.windows.net",
    ),
    _token(
        "azure-client-secret",
        "q~",
        r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
        f"{_MIXED[:3]}8Q~{_MIXED[:34]}",
        "the frequency Q~ of the band",
        before=5,
        after=40,
    ),
    _token(
        "google-api-key",
        "aiza",
        r"AIza[A-Za-z0-9_-]{35}",
        f"maps?key={'AIza'}{_MIXED[:35]}",
        "AIza is the first part of a Google key",
    ),
    _token(
        "google-oauth-token",
        "ya29. gocspx-",
        r"(?:ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{28})",
        f"GOCSPX-{_MIXED[:28]}",
        "GOCSPX- opens a client secret, ya29. an access token",
    ),
    _token(
        "google-refresh-token",
        "1//0",
        r"1//0[A-Za-z0-9_-]{40,}",
        f"1//0{_MIXED[:60]}",
        "a division: 1//0",
        in_run=False,
    ),
    _vendor(
        "gcp-private-key-id",
        "key",
        "(?<=private_)key_id",
        "[0-9a-f]{40}",
        f'"private_{"key"}_id": "{_HEX[:40]}"',
        '"private_key_id": "<id>"',
    ),
    _token(
        "alibaba-access-key",
        "ltai",
        r"LTAI[A-Za-z0-9]{20}",
        f"LTAI{_MIXED[:20]}",
        "LTAI is a prefix of 4 letters",
    ),
    _token(
        "digitalocean-token",
        "dop_v1_ doo_v1_ dor_v1_",
        r"do[opr]_v1_[a-f0-9]{64}",
        f"dop_{'v1'}_{_HEX[:64]}",
        "dop_v1_ is followed by 64 hexadecimal digits",
    ),
    _vendor(
        "heroku-api-key",
        "heroku",
        "heroku",
        r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        f"HEROKU_API_{'KEY'}={_UUID}",
        "heroku release 0c7d5e1a is live",
    ),
    _token(
        "heroku-token",
        "hrku-",
        r"HRKU-[A-Za-z0-9_-]{36,64}",
        f"HRKU-{_MIXED[:60]}",
        "HRKU- is a prefix",
    ),
    _vendor(
        "cloudflare-token",
        "cloudflare",
        "cloudflare",
        "(?:[A-Za-z0-9_-]{40}|[a-f0-9]{37})",
        f"CLOUDFLARE_API_{'TOKEN'}={_MIXED[:40]}",
        "cloudflare: 1.1.1.1 answers",
    ),
    _token(
        "cloudflare-origin-key",
        "v1.0-",
        r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}",
        f"v1.0-{_HEX[:24]}-{_HEX[:146]}",
        "released as v1.0-rc1",
    ),
    _token(
        "fly-token",
        "fm2_ljpe fo1_",
        r"(?:fo1_[\w-]{43}|fm2_lJPE[A-Za-z0-9+/]{100,}={0,3})",
        f"fo1_{_MIXED[:43]}",
        "fo1_ and fm2_ are prefixes",
    ),
    _token(
        "netlify-token",
        "nfp_",
        r"nfp_[A-Za-z0-9_]{36,}",
        f"nfp_{_MIXED[:36]}",
        "nfp_ is a prefix",
    ),
)

_CODE_HOSTS = (
    _token(
        "github-token",
        "ghp_ gho_ ghu_ ghs_ ghr_",
        r"gh[opusr]_[A-Za-z0-9_]{30,255}",
        f"{'ghp'}_{_MIXED[:36]}",
        "ghp_ opens a classic token",
    ),
    _token(
        "github-fine-grained-token",
        "github_pat_",
        r"github_pat_[A-Za-z0-9_]{40,255}",
        f"{'github'}_pat_{_MIXED[:22]}_{_MIXED[:59]}",
        "github_pat_ opens a fine-grained token",
    ),
    _token(
        "gitlab-token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent- gloas- glimt-",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[A-Za-z0-9_-]{20,}(?:\.[a-z0-9]{2}\.[a-z0-9]{9})?",
        f"{'glpat'}-{_MIXED[:20]}",
        "glpat- opens a GitLab token",
    ),
    _token(
        "atlassian-token",
        "atatt3 atctt3 atbb",
        r"(?:AT(?:A|C)TT3[A-Za-z0-9_=-]{60,}|ATBB[A-Za-z0-9]{32})",
        f"ATATT3{_MIXED[:180]}",
        "ATATT3 is a prefix",
    ),
    _token(
        "npm-token",
        "npm_",
        r"npm_[A-Za-z0-9]{36}",
        f"//registry.npmjs.org/:_auth{'Token'}=npm_{_MIXED[:36]}",
        "npm_config_registry=https://registry.npmjs.org/",
    ),
    _token(
        "pypi-token",
        "pypi-",
        r"pypi-[A-Za-z0-9_-]{50,}",
        f"{'pypi'}-AgEIcHlwaS5vcmc{_MIXED[:90]}",
        "pypi-publish is a GitHub action",
    ),
    _token(
        "rubygems-token",
        "rubygems_",
        r"rubygems_[a-f0-9]{48}",
        f"rubygems_{_HEX[:48]}",
        "rubygems_mfa_required is a field of a gemspec",
    ),
    _token(
        "crates-io-token",
        "cio",
        r"cio[A-Za-z0-9]{32}",
        f"cio{_MIXED[:32]}",
        "a precious scenario, and cioppino",
    ),
    _token(
        "docker-hub-token",
        "dckr_pat_ dckr_oat_",
        r"dckr_[po]at_[A-Za-z0-9_-]{27,}",
        f"{'dckr'}_pat_{_MIXED[:27]}",
        "dckr_pat_ opens a Docker Hub token",
    ),
    _token(
        "circleci-token",
        "ccipat_ cciprj_",
        r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}",
        f"CCIPAT_{_MIXED[:22]}_{_HEX[:40]}",
        "CCIPAT_ is a prefix",
    ),
    _token(
        "buildkite-token",
        "bkua_",
        r"bkua_[a-f0-9]{40}",
        f"bkua_{_HEX[:40]}",
        "bkua_ is a prefix",
    ),
    _token(
        "sourcegraph-token",
        "sgp_",
        r"sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}",
        f"sgp_{_HEX[:40]}",
        "sgp_ is a prefix",
    ),
    _token(
        "artifactory-token",
        "akcp",
        r"AKCp[A-Za-z0-9]{69}",
        f"AKCp{_MIXED[:69]}",
        "AKCp is a prefix",
    ),
    _token(
        "nuget-key",
        "oy2",
        r"oy2[a-z0-9]{43}",
        f"oy2{_MIXED[:43].lower()}",
        "oy2 is a prefix",
    ),
)

_AI = (
    _token(
        "anthropic-key",
        "sk-ant-",
        r"sk-ant-[A-Za-z0-9_-]{20,}",
        f"{'sk-ant'}-api03-{_MIXED[:93]}AA",
        "sk-ant- opens an Anthropic key",
    ),
    _token(
        "openrouter-key",
        "sk-or-",
        r"sk-or-v1-[a-f0-9]{64}",
        f"sk-or-{'v1'}-{_HEX[:64]}",
        "sk-or-v1- opens an OpenRouter key",
    ),
    Rule(
        "openai-key",
        ("sk-",),
        re.compile(
            rf"{_START}sk-(?:(?:proj|svcacct|admin|service|None)-[A-Za-z0-9_-]{{20,2048}}+|[A-Za-z0-9]{{20,2048}}+"
            rf"|[a-z]{{2,4}}-[A-Za-z0-9_-]{{30,2048}}+)"
        ),
        sample=f"{'sk'}-proj-{_MIXED[:48]}",
        benign="sk-learn, task-runner-with-a-really-long-name-in-kebab, risk-adjusted-return-on-capital-employed",
        in_run=True,
        accept=lambda match: not is_filler(match[0][-16:]) and not is_wordy(match[0][:64]),
    ),
    _token(
        "huggingface-token",
        "hf_ api_org_",
        r"(?:hf|api_org)_[A-Za-z]{30,40}",
        f"hf_{''.join(filter(str.isalpha, _MIXED))[:34]}",
        "hf_hub_download(repo_id)",
    ),
    _token("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{40,}", f"gsk_{_MIXED[:52]}", "gsk_ is a prefix"),
    _token("xai-key", "xai-", r"xai-[A-Za-z0-9]{60,}", f"xai-{_MIXED[:80]}", "xai-grok is a model family"),
    _token("replicate-token", "r8_", r"r8_[A-Za-z0-9]{37}", f"r8_{_MIXED[:37]}", "r8_ is a prefix"),
    _token("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{40,}", f"pplx-{_MIXED[:48]}", "pplx-70b-online is a model"),
    _token(
        "langsmith-key",
        "lsv2_",
        r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",
        f"lsv2_pt_{_HEX[:32]}_{_HEX[:10]}",
        "lsv2_pt_ is a prefix",
    ),
    _token("databricks-token", "dapi", r"dapi[a-f0-9]{32}(?:-\d)?", f"dapi{_HEX[:32]}", "dapi is a data API"),
)

_CHAT_AND_MAIL = (
    _token(
        "slack-token",
        "xox xapp-",
        r"(?:xox[abprscde](?:\.xox[bp])?-[A-Za-z0-9%/+-]{10,}|xapp-\d-[A-Za-z0-9-]{20,})",
        f"{'xox'}b-{'1234567890'}-{'9876543210'}-{_MIXED[:24]}",
        "xoxb- opens a bot token, xapp- an app-level one",
        in_run=False,
    ),
    Rule(
        "slack-webhook",
        ("hooks.slack.com",),
        re.compile(
            rf"hooks\.slack\.com{_SLASH}(?:services|workflows|triggers){_SLASH}(?P<secret>(?>(?:[A-Za-z0-9+]|{_SLASH}){{20,200}}))"
        ),
        sample=f"https://hooks.slack.com/{'services'}/T{_UPPER[:9]}/B{_UPPER[:9]}/{_MIXED[:24]}",
        benign="https://hooks.slack.com/services/… is where the hook goes",
    ),
    Rule(
        "teams-webhook",
        ("webhook.office.com",),
        re.compile(
            rf"webhook\.office\.com{_SLASH}webhookb2{_SLASH}(?P<secret>(?>(?:[A-Za-z0-9@-]|{_SLASH}){{80,400}}))"
        ),
        sample=f"https://acme.webhook.office.com/webhookb2/{_UUID}@{_UUID}/Incoming{'Webhook'}/{_HEX[:32]}/{_UUID}",
        benign="https://acme.webhook.office.com/webhookb2/<id>",
    ),
    Rule(
        "discord-webhook",
        ("webhooks",),
        re.compile(rf"webhooks{_SLASH}\d{{17,20}}{_SLASH}(?P<secret>[A-Za-z0-9_-]{{60,80}})"),
        sample=f"https://discord.com/api/{'webhooks'}/123456789012345678/{_MIXED[:68]}",
        benign="https://discord.com/developers/docs/resources/webhooks/create",
    ),
    Rule(
        "discord-token",
        ("discord", "bot"),
        re.compile(_START + r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}" + _END),
        sample=f"DISCORD_{'TOKEN'}=M{_MIXED[:23]}.{_MIXED[:6]}.{_MIXED[:38]}",
        benign="the discord module is discord.ext.commands, its bot is commands.Bot",
        after=120,
    ),
    _token(
        "telegram-bot-token",
        ":aa",
        r"(?:bot)?(?P<secret>\d{8,10}:AA[A-Za-z0-9_-]{32,33})",  # its API's URLs say "/bot<token>/"
        f"1234567890:AA{_MIXED[:33]}",
        "the row 12345678:AAPL of the table",
        before=14,
        after=40,
        in_run=False,
    ),
    _token("twilio-key", "sk", r"SK[0-9a-f]{32}", f"SK{_HEX[:32]}", "SKU 4711 and TASK9f3a7c1e"),
    _vendor(
        "twilio-auth-token",
        "twilio",
        "twilio",
        "[0-9a-f]{32}",
        f"TWILIO_AUTH_{'TOKEN'}={_HEX[:32]}",
        "twilio 9.4.1 is installed",
    ),
    _token(
        "sendgrid-key",
        "sg.",
        r"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}",
        f"SG.{_MIXED[:22]}.{_MIXED[:43]}",
        "msg.SG.region is a field",
    ),
    _token("mailgun-key", "key-", r"key-[0-9a-f]{32}", f"key-{_HEX[:32]}", "key-value, primary-key-columns"),
    _token(
        "mailchimp-key",
        "-us",
        r"[0-9a-f]{32}-us\d{1,2}",
        f"{_HEX[:32]}-us12",
        "region us-east-1, en-us, cross-use",
        before=33,
        after=8,
    ),
    _token(
        "brevo-key",
        "xkeysib-",
        r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
        f"xkeysib-{_HEX[:64]}-{_MIXED[:16]}",
        "xkeysib- is a prefix",
    ),
    _token(
        "resend-key",
        "re_",
        r"re_[A-Za-z0-9]{6,12}_[A-Za-z0-9]{20,26}",
        f"re_{_MIXED[:8]}_{_MIXED[:24]}",
        "re_compile_all_the_patterns_before",
    ),
)

_BUSINESS = (
    _token(
        "stripe-key",
        "sk_live_ sk_test_ rk_live_ rk_test_",
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
        f"{'sk'}_live_{_MIXED[:24]}",
        "sk_live_ opens a live key, pk_live_ a public one",
    ),
    _token(
        "webhook-signing-secret",
        "whsec_",
        r"whsec_[A-Za-z0-9+/]{24,}=?",
        f"whsec_{_MIXED[:32]}",
        "whsec_ opens a signing secret",
        in_run=False,
    ),
    _token(
        "shopify-token",
        "shpat_ shpca_ shppa_ shpss_",
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
        f"{'shpat'}_{_HEX[:32]}",
        "shpat_ opens an access token",
    ),
    _token(
        "square-token",
        "sq0atp- sq0csp- eaaa",
        r"(?:sq0atp-[\w-]{22,}|sq0csp-[\w-]{43}|EAAA[\w-]{60})",
        f"{'sq0atp'}-{_MIXED[:22]}",
        "sq0atp- opens an access token",
    ),
    _token(
        "razorpay-key", "rzp_live_", r"rzp_live_[A-Za-z0-9]{14}", f"rzp_live_{_MIXED[:14]}", "rzp_live_ is a prefix"
    ),
    _token(
        "linear-key",
        "lin_api_ lin_oauth_",
        r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}",
        f"{'lin'}_api_{_MIXED[:40]}",
        "lin_api_ is a prefix",
    ),
    _token(
        "notion-token",
        "ntn_ secret_",
        r"(?:ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43})",
        f"{'ntn'}_{_MIXED[:46]}",
        "ntn_ is a prefix; secret_key_base is a name",
    ),
    _token(
        "airtable-token",
        "pat",
        r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
        f"pat{_MIXED[:14]}.{_HEX[:64]}",
        "path, patch, pattern.compile",
    ),
    _token("figma-token", "figd_", r"figd_[A-Za-z0-9_-]{38,}", f"figd_{_MIXED[:40]}", "figd_ is a prefix"),
    _token(
        "postman-key", "pmak-", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", f"PMAK-{_HEX[:24]}-{_HEX[:34]}", "PMAK- is a prefix"
    ),
    _token("typeform-token", "tfp_", r"tfp_[A-Za-z0-9_.=-]{40,}", f"tfp_{_MIXED[:44]}", "tfp_ is a prefix"),
    _token(
        "mapbox-token",
        "sk.eyj",
        r"sk\.eyJ[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{20,}",
        f"{'sk'}.eyJ{_MIXED[:60]}.{_MIXED[:22]}",
        "pk.eyJ opens a public one",
    ),
)

_OPERATIONS = (
    _token(
        "vault-token",
        "hvs. hvb. hvr.",
        r"hv[sbr]\.[A-Za-z0-9_-]{24,}",
        f"{'hvs'}.{_MIXED[:90]}",
        "hvs. opens a service token",
    ),
    _token(
        "terraform-cloud-token",
        ".atlasv1.",
        r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}",
        f"{_MIXED[:14]}.{'atlasv1'}.{_MIXED[:67]}",
        "x.atlasv1.y",
        before=15,
        after=90,
    ),
    _token("pulumi-token", "pul-", r"pul-[a-f0-9]{40}", f"pul-{_HEX[:40]}", "pul- is a prefix"),
    _token(
        "doppler-token",
        "dp.",
        r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
        f"{'dp'}.pt.{_MIXED[:43]}",
        "dp.st.append(x)",
    ),
    _token(
        "onepassword-token",
        "ops_ey",
        r"ops_eyJ[A-Za-z0-9+/_-]{100,}={0,3}",
        f"{'ops'}_eyJ{_MIXED[:150]}",
        "ops_eyJ is a prefix",
    ),
    _token(
        "supabase-key",
        "sb_secret_ sbp_",
        r"(?:sb_secret_[A-Za-z0-9_-]{20,}|sbp_(?:v0_)?[a-f0-9]{40})",
        f"{'sb'}_secret_{_MIXED[:31]}",
        "sb_publishable_ keys are public",
    ),
    _token(
        "planetscale-token",
        "pscale_",
        r"pscale_(?:tkn|pw|oauth)_[\w=.-]{32,64}",
        f"{'pscale'}_pw_{_MIXED[:43]}",
        "pscale_tkn_ is a prefix",
    ),
    _token(
        "sentry-token",
        "sntrys_ sntryu_",
        r"(?:sntrys_eyJ[A-Za-z0-9+/=_-]{60,}|sntryu_[a-f0-9]{64})",
        f"{'sntryu'}_{_HEX[:64]}",
        "sntryu_ is a prefix",
    ),
    _token(
        "new-relic-key",
        "nrak- nrii- nrjs- nrra-",
        r"NR(?:AK|II|JS|RA)-[A-Za-z0-9_-]{19,42}",
        f"{'NRAK'}-{_UPPER[:27]}",
        "NRAK- is a prefix",
    ),
    _token(
        "grafana-token",
        "glc_ glsa_ eyjrijoi",
        r"(?:glc_[A-Za-z0-9+/]{32,}={0,2}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|eyJrIjoi[A-Za-z0-9+/]{60,}={0,2})",
        f"{'glsa'}_{_MIXED[:32]}_{_HEX[:8]}",
        "glsa_ is a prefix",
    ),
    _vendor(
        "datadog-key",
        "key",
        "(?:(?<=dd[_-]api[_-])|(?<=dd[_-]app[_-])|(?<=datadog[_-]api[_-])|(?<=datadog[_-]app[_-]))key",
        "(?:[a-f0-9]{40}|[a-f0-9]{32})",
        f"DD_API_{'KEY'}={_HEX[:32]}",
        "datadog agent 7.60 at commit 9f3a7c1e",
    ),
    _token(
        "dynatrace-token",
        "dt0c01.",
        r"dt0c01\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}",
        f"dt0c01.{_UPPER[:24]}.{_UPPER[:64]}",
        "dt0c01. is a prefix",
    ),
    _token(
        "tailscale-key",
        "tskey-",
        r"tskey-[a-z]+-[A-Za-z0-9]{6,}-[A-Za-z0-9]{20,}",
        f"{'tskey'}-auth-{_MIXED[:12]}CNTRL-{_MIXED[:32]}",
        "tskey-auth- is a prefix",
    ),
    _token("openshift-token", "sha256~", r"sha256~[A-Za-z0-9_-]{43}", f"sha256~{_MIXED[:43]}", f"sha256:{_HEX[:64]}"),
)

_CARRIERS = (
    Rule(
        "jwt",
        ("eyj",),
        re.compile(
            r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt])|(?<=\\u[0-9a-fA-F]{4}))eyJ[A-Za-z0-9_-]{10,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+"
        ),
        sample=f"{'eyJ'}hbGciOiJIUzI1NiJ9.{'eyJ'}{_MIXED[:40]}.{_MIXED[:43]}",
        benign="eyJhbGciOiJIUzI1NiJ9 alone is a header",
        in_run=True,
    ),
    Rule(
        "bearer-token",
        ("bearer",),
        re.compile(r"(?i:bearer)(?:[ \t]{1,4}|%20|\+)(?P<secret>(?>(?:[A-Za-z0-9._~+=-]|\\*/){16,}))"),
        sample=f"Authorization: {'Bearer'} {_MIXED[:40]}",
        benign="Authorization: Bearer <access-token>, the bearer authentication-scheme of RFC-6750",
        accept=_accept_bearer,
    ),
    Rule(
        "authorization",
        ("auth",),
        re.compile(
            r"(?i:authorization\\*[\"']?[ \t]{0,4}[:=][ \t]{0,4}\\*[\"']?)"
            r"(?i:token|apikey|api-key|key|bot|negotiate)[ \t]{1,4}(?P<secret>[^\s\"'\\,;]{10,2048}+)"
        ),
        sample=f"Authorization: {'token'} {_MIXED[:32]}",
        benign="Authorization: token <your-token>, authorization: key-based-access",
        accept=_accept_dense_secret,
    ),
    Rule(
        "basic-auth",
        ("basic ",),
        re.compile(r"(?i:basic)[ \t]{1,4}(?P<secret>(?:[A-Za-z0-9+]|/){8,}+={0,2})"),
        sample=f"Authorization: {'Basic'} YWxhZGRpbjpvcGVuc2VzYW1l",
        benign="basic authentication, basic understanding of HTTP",
        accept=_accept_basic,
    ),
    Rule(
        "url-password",
        ("://", "\\/\\"),
        re.compile(
            rf"{_AUTHORITY}(?>{_URL_CHAR}{{0,200}}):(?P<secret>(?>(?:{_URL_CHAR}|:|@(?=[^\s/\"'\\@]{{0,200}}@)){{1,300}}))@"
        ),
        sample=f"postgres://app:{'s3cr'}-{_MIXED[:8]}@db.internal:5432/app",
        benign="postgres://${DB_USER}:${DB_PASSWORD}@localhost:5432/app and http://localhost:8080/@scope/name",
        accept=_accept_url_password,
    ),
    Rule(
        "url-token",
        ("://", "\\/\\"),
        re.compile(rf"{_AUTHORITY}(?P<secret>[A-Za-z0-9_-]{{20,255}}+)(?::(?:x-oauth-basic)?)?@"),
        sample=f"https://{_HEX[:32]}@o4501.ingest.sentry.io/4501",
        benign="ssh://git@github.com/acme/thing.git and https://jane-from-accounting-dept@example.com",
        accept=_accept_dense_secret,
    ),
    Rule(
        "netrc-password",
        ("pass",),
        re.compile(rf"password{_BREAK}{{1,4}}(?P<secret>[^\s\"'\\]{{4,200}})"),
        sample=f"machine api.example.net login ann {'password'} {_MIXED[:12]}",
        benign="machine api.example.net login ann password <password>",
        accept=_accept_after_login,
    ),
    Rule(
        "pgpass-password",
        (":5432:", ":*:"),
        re.compile(r":(?:\d{4}|\*):[\w*-]{1,63}:[\w*.-]{1,63}:(?P<secret>[^\s:\"'\\]{6,200})"),
        sample=f"db.internal:5432:app:ann:{_MIXED[:14]}",
        benign='ports: "127.0.0.1:5432:5432" and 10.0.0.1:5432:app:ann:*',
        accept=_accept_chosen_secret,
    ),
    Rule(
        "curl-user",
        ("curl ",),
        re.compile(
            rf"curl {_ARGUMENTS}(?:-[A-Za-z]{{0,8}}[uU]|--(?:proxy-)?user)[ =]?\\*[\"']?"
            r"[^\s:\"'\\$]{1,100}:(?P<secret>[^\s\"'\\]{4,200})"
        ),
        sample=f"curl -s -u ann:{_MIXED[:12]} https://api.example.net",
        benign='curl -s -u "$USER:$PASS" https://api.example.net, curl -u ann https://api.example.net',
        accept=_accept_argument,
    ),
    Rule(
        "sshpass-password",
        ("pass",),
        re.compile(r"(?<=ssh)pass[ \t]+-p[ \t]*\\*[\"']?(?P<secret>[^\s\"'\\]{4,200})"),
        sample=f"{'sshpass'} -p {_MIXED[:10]} ssh ann@host",
        benign='sshpass -p "$SSH_PASSWORD" ssh ann@host',
        accept=_accept_argument,
    ),
    # Only what follows -p at once is a password of theirs; after a blank stands a database, and they ask.
    _command(
        "database-password",
        "mysql mariadb",
        r"(?:mysql(?:admin|dump|import|check|show|pump|slap|binlog|sh)?|mariadb(?:-[a-z]{2,12})?)",
        r"-p",
        sample=f"mysql -u root {'-p'}{_MIXED[:10]} app",
        benign="mysql -u root -p app, docker run --name mysql -p3306:3306 mysql:8, gcc a.c -lmysqlclient -pthread",
    ),
    _command(
        "database-password",
        "mongo",
        r"mongo(?:sh|dump|restore|export|import|stat|top|files)?",
        r"-p[ =]?",
        sample=f"mongosh -u ann {'-p'} {_MIXED[:10]} --host db",
        benign="docker run --name mongo -p 27017:27017 mongo:7, mongosh -u ann -p --host db",
    ),
    _command(
        "database-password",
        "redis-cli",
        r"redis-cli",
        r"-a[ ]",
        sample=f"redis-cli -h cache {'-a'} {_MIXED[:10]} ping",
        benign="redis-cli -h cache -p 6379 ping, redis-cli -a $REDIS_PASSWORD ping",
    ),
    _command(
        "database-password",
        "sqlcmd",
        r"sqlcmd",
        r"-P[ ]?",
        sample=f"sqlcmd -S db -U sa {'-P'} {_MIXED[:10]}",
        benign="sqlcmd -S db -U sa -P $(SA_PASSWORD) -Q 'select 1', sqlcmd -p 1",
    ),
    _command(
        "directory-password",
        "ldap",
        r"ldap(?:search|add|modify|delete|whoami|compare|passwd)",
        r"-w[ ]?",
        sample=f"ldapsearch -x -D cn=admin {'-w'} {_MIXED[:10]} -b dc=example",
        benign="ldapsearch -x -W -b dc=example, ldapsearch -y secret.txt -w $PW",
    ),
    # `gh auth login -p https` is no password: so only after these.
    _command(
        "login-password",
        "login",
        r"(?:(?<=docker )|(?<=podman )|(?<=buildah )|(?<=nerdctl )|(?<=skopeo )|(?<=helm registry )|(?<=oras )|(?<=oc )"
        r"|(?<=az ))login",
        r"(?:-p[ =]?|--password[ =])",
        sample=f"docker login -u ann {'-p'} {_MIXED[:10]} registry.example.net",
        benign="docker login -u ann -p $TOKEN, gh auth login -p https -h github.com, docker login --password-stdin",
    ),
)

_KEY_WORD = (
    r"(?:(?<=api)|(?<=api[_. -])|(?<=access)|(?<=access[_. -])|(?<=secret[_. -])|(?<=private)|(?<=private[_. -])"
    r"|(?<=account[_. -])|(?<=encryption[_. -])|(?<=signing[_. -])|(?<=master[_. -])|(?<=license[_. -])"
    r"|(?<=subscription[_. -])|(?<=service[_. -])|(?<=role[_. -])|(?<=admin[_. -])|(?<=app[_. -])|(?<=auth[_. -])"
    r"|(?<=client[_. -])|(?<=deploy[_. -])|(?<=storage[_. -])|(?<=ecret)|(?<=ncryption)|(?<=igning))key"
)
_PHRASE_WORD = r"(?:pass(?:word|wd|phrase|code)|(?<![A-Za-z])pass|(?-i:(?<=[a-z])Pass(?![a-z])))"

_TELLING_NAMES = (
    _named(
        "password",
        "pass",
        _PHRASE_WORD,
        accept_chosen,
        _is_any_password,
        f'"{"pass"}word": "hunter2-{_MIXED[:6]}"',
        'password: str, "password": "required", password = get_password()',
    ),
    _named(
        "password",
        "pwd",
        r"(?<!OLD)(?<!\$)pwd",
        accept_chosen,
        _is_any_password,
        f"Server=db;Uid=sa;{'Pwd'}=hunter2{_MIXED[:4]};",
        "PWD=/home/ann/src/ledger and OLDPWD=/tmp",
    ),
    _named(
        "secret",
        "secret",
        r"(?<!\d:)secret",
        accept_chosen_or_dense,
        _is_chosen_or_dense,
        f"client_{'secret'}: {_MIXED[:24]}",
        "secret: my-app-credentials, secretName: db-secret-v2, client_secret=$SECRET",
    ),
    _named(
        "api-key",
        "key",
        _KEY_WORD,
        accept_dense,
        is_dense_secret,
        f"X-Api-{'Key'}: {_MIXED[:32]}",
        'os.environ["API_KEY"], api_key=settings.api_key, api-key: <your-api-key>',
    ),
    _named(
        "token",
        "token",
        r"token",
        accept_dense,
        is_dense_secret,
        f"--access-{'token'} {_MIXED[:32]}",
        'token = get_token(), "input_tokens":12345678901, token: Optional[str]',
    ),
    _named(
        "authorization",
        "auth",
        r"(?<![A-Za-z])(?:proxy-)?auth(?:orization)?",
        accept_dense,
        _is_dense_after_scheme,
        f'"{"auth"}": "YWxhZGRpbjpvcGVuc2VzYW1l"',
        "auth: oauth2-device-flow, authorization: required",
    ),
    _named(
        "credential",
        "cred",
        r"cred(?:ential)?s?",
        accept_dense,
        is_dense_secret,
        f"DB_{'CREDENTIALS'}={_MIXED[:24]}",
        "credentials: include, credentials: 'same-origin'",
    ),
)

RULES: tuple[Rule, ...] = (
    *_KEYS_AND_BLOCKS,
    *_CLOUDS,
    *_CODE_HOSTS,
    *_AI,
    *_CHAT_AND_MAIL,
    *_BUSINESS,
    *_OPERATIONS,
    *_CARRIERS,
    *_TELLING_NAMES,
)
