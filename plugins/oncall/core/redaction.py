"""Takes out of a text what looks like a secret, and leaves the sentence. Pure: knows shapes, and no secret by itself.

Secrets that Airflow knows are taken out by Airflow's own masker where a task speaks (`airflow/masking.py`). This is the
net behind it, for what a driver, a far side or a person repeats: an address with a password, `token=…`, `Bearer …`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache

HIDDEN = "***"
SHORTEST = 5  # letters of a secret that Airflow masks: a shorter one stands within words of every sentence

_KEYS = (
    r"(?:api|access|secret|private|account|shared|fernet|signing|encryption|auth|service|client|integration|genie|jwt|ssh)"
    r"[_\- ]?(?:access[_\- ]?)?key"
)
# What is named so is a secret, whatever stands before the name (`AIRFLOW__CORE__FERNET_KEY`, `X-Auth-Token`); `_SAID`
# also within a sentence.
_OTHERS = r"passwort|kennwort|mo[t] de passe|contrase[nñ]a|senha|пароль|mật khẩu|密码|パスワード"
_SAID = (
    rf"pass(?:word|wd|phrase|code)|(?<=_)pass|pwd|(?<![a-z])pw|token|secret|credentials?|creds|{_OTHERS}"
    rf"|{_KEYS}(?:[_-]data)?"
)
_NAME = (
    rf"(?:{_SAID}|pass|signature|j?sessionid|phpsessid|connect\.sid"
    r"|(?:licen[cs]e|subscription|application|x-[\w-]{1,40})[_ -]key|secret[_-]?id|(?<=_)auth(?==)"
    r"|routing[_ -]key(?=\W{1,6}[0-9a-f]{32}))[_-]?\d*"
)
_NAMES = (
    *("pass", "pwd", "pw", "token", "secret", "cred", "signature", "key", "sess", ".sid", "_auth"),
    *("kennwort", "contrase", "senha", "парол", "mật kh", "密码", "パスワード"),
)
# What a phone says, or a person of a phone: digits that are no count of anything.
_CODE = (
    r"(?<![a-z0-9])(?:t?otp|pin|2fa|mfa|passcode"
    r"|(?:one[- ]time|verification|security|recovery|backup|pin|2fa|mfa|auth\w*)"
    r"[ _-](?:pass)?(?:code|password)s?)(?![a-z])[ _-]?(?:code)?"
)
# Words that go on with a sentence ("invalid token: expired"), and what only stands for a value (`$TOKEN`, `<token>`).
_WORD = (
    r"none|null|nil|true|false|str|string|bytes|int|optional|empty|missing|required|unset|undefined|invalid|expired|wrong"
    r"|incorrect|rejected|refused|found|expected|unknown|not|no|nothing|is|was|are|has|must|should|cannot|could|the|an?"
    r"|see|write|set|put|use|give|make|take|get|ask|rotate|change|reset|renew|create|for|in|of|to|from|and|or|with|authentication|authorization|auth|tokens?|keys?|scheme|header"
)
_NO_VALUE = (
    rf"(?!(?:{_WORD})(?=[,.;:)\]}}>\"'\\]*(?:\s|$))|\$\{{?[A-Z_][A-Z0-9_]*\}}?(?=[\s,;)\"'\\]|$)"
    r"|\$\(|os\.(?:environ|getenv)\b|<[\w -]+>|\{\{|\*\*\*|…)"
)
# A value without quotes ends at a blank, before what ends a sentence, and where the next setting begins.
_BARE = r"(?:(?![&,;:)\]}>\"'.\\]+(?=\s|$)|[&,;][\w.%-]+=)\S)+"
# What looks like a password among the words of a sentence: letters with a digit, no date, no path and no address.
_ODD = (
    r"(?=[^\s\"',;]{0,60}\d)(?=[^\s\"',;]{0,60}[A-Za-z])"
    r"(?!\d{4}-\d\d|\w+://|[\w.-]*\*\*\*|[\w.-]+(?:/|\(|=[^\s=])|[\w/.-]+[.][a-z]{2,4}\b)[^\s\"',;<>()&{}\[\]]{7,}(?<![.:])"
)
_QUOTE = r"(?:b?\\*[\"']|&quot;|&#3[49];|\\+u0022|%22)"
_IS = rf"(?:{_QUOTE}|[)\]])*[ \t]*(?:=>|:=|[=:：＝→]|&#61;|&equals;|%3[DA])[ \t]*+(?:%20)*+"
# Between the name and what looks like it: "the password for etl is", "('token', '", "name: token, value: ".
_GAP = (
    r"[\"'\])*`]{0,3}(?:[ \t]+[(\[]\w{1,40}[)\]]|[ \t]+(?:for|of)(?:[ \t]+[^\s:,]{1,40}){1,2}?)?[\s,:;>|*–→-]{1,9}"
    r"(?:(?:is|was|now|set|reset|changed|to|as|is[t]|lautet|là|est|es)[\s:]{1,3}"
    r"|[\"']?value[\"']?[ \t]?[:=]\s?){0,3}b?[\"'`]{0,2}"
)
# What a password is said to be in a sentence that tells none: "the password is expired".
_SAID_OF_ONE = (
    r"\w+(?:ed|ing|able|ible|less|ful|ive|ent|ant|ous)|wrong|short|long|weak|old|new|too|case|on|at|by|blank|stale|bad"
    r"|good|ok|okay|fine|right|public|plain|text|there|here|gone|kept|read|sent|known|shown|hidden|given|taken|broken"
    r"|correct|default|unique|random|ready|same|up|down|out|off|only|also|still|already|never|always|what|which|that"
    r"|this|your|my|our|it|longer|shorter|older|easy|hard|lost|free|valid"
)
_SCHEME = r"Bearer|GenieKey"

# What a text must have in it (one of these, in small letters) for a shape to be looked for; the shape; what it becomes.
# Every repetition is bounded or cannot begin in two places: a text of any kind costs time in proportion to its length.
_SHAPES = (
    # A private key, whole or cut off.
    (("private key",),
     r"(?is)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
     HIDDEN),
    (("private key-----",),
     r"(?<![\w/+=])(?:[A-Za-z0-9/+=]{4,80}(?:\s|\\n){1,4}){1,80}-----END [A-Z0-9 ]*PRIVATE KEY-----", HIDDEN),
    # scheme://user:password@host, whatever the password is made of; a port is no password.
    (("@",),
     r"(?i)([a-z][a-z0-9+.\-]{0,30}://[^\s:/?#@\[\"'<>]{0,200}:)(?!\d{1,5}(?:[/?#,;.)\"'\s]|$)|\*\*\*@)"
     r"(?:(?:[^\s\"'<>@]{0,200}@)++|(?:[^\s@]{0,200}@)++)", rf"\1{HIDDEN}@"),
    # user:password@host:5432, user:password@host/name; an e-mail address is followed by neither.
    (("@",), r"([\w.+-]{1,64}:)[^\s:@/\"'<>]{3,200}(?=@[\w.-]{1,200}(?::\d{2,5}\b|/\w))", rf"\1{HIDDEN}"),
    # user:password@host where the password looks like one; user/password@host:1521/name, as Oracle has it.
    (("@",), r"([\w.+-]{1,64}:)(?=[^\s@]{0,60}\d)(?=[^\s@]{0,60}[A-Za-z])[^\s:/@\"'<>]{7,64}"
     r"(?=@[\w-]{1,99}+(?![.]\w))", rf"\1{HIDDEN}"),
    (("@",), r"((?<![\w/.-])\w{1,64}/)(?=[^\s@]{0,60}\d)[^\s:@/\"'<>]{3,200}"
     r"(?=@(?://\w|[A-Z][A-Z0-9_]+\b|[\w.-]{1,200}(?::\d{2,5}\b|/\w)))", rf"\1{HIDDEN}"),
    # https://token@host: a name as long as that is nobody's.
    (("@",), r"(?i)(https?://)[^\s:/?#@\"'<>]{16,200}@", rf"\1{HIDDEN}@"),
    (("authorization",),
     rf"(?i)(authorization{_IS}(?:{_QUOTE})?(?:(?:Basic|Token|ApiKey|Digest|Negotiate)[ \t]+)?+)"
     rf"{_NO_VALUE}(?!{_SCHEME})[^\s\"']+(?:[ \t]+(?=\S{{0,99}}\d|\S{{16}})[^\s\"']+)?", rf"\1{HIDDEN}"),
    (("digest",), r"(?i)(\bdigest\b[^\n]{0,999}\bresponse=[\"']?)[^\s\"',]+", rf"\1{HIDDEN}"),
    (("bearer", "geniekey"), rf"(?i)\b({_SCHEME})([ \t]+){_NO_VALUE}{_BARE}", rf"\1\2{HIDDEN}"),
    (("basic ", "token ", "apikey "),
     r"\b(Basic|Token|ApiKey)([ \t]+)(?=\S{0,99}(?:\d|[a-z][A-Z]|=))[\w.+/=~-]{8,}", rf"\1\2{HIDDEN}"),
    # "name": "value", 'name' = 'value', \"name\": \"value\"
    (_NAMES, rf"(?i)({_NAME}{_IS}({_QUOTE})){_NO_VALUE}(?:\2\2|(?!\2)(?:\\.|[^\n]))+", rf"\1{HIDDEN}"),
    # (user, password) values ('…', '…'), with its parameters on the next line
    (_NAMES, rf"(?i)(\([^()\n]{{0,200}}{_NAME}[^()\n]{{0,200}}\)\s*(?:values|=)\s*\()[^\n]+(?:\n\[param[^\n]+)?",
     rf"\1{HIDDEN}"),
    # name: | with the value on lines of its own; <name>value</name>
    (_NAMES,
     rf"(?i)({_NAME}[\"']?[ \t]*:[ \t]*[|>][+-]?[ \t]*\n[ \t]+)[^\n]+(?:\n[ \t]+[^\s:]+(?=\n|$))*",
     rf"\1{HIDDEN}"),
    (_NAMES, rf"(?i)({_NAME}(?: [^<>\n]{{0,200}})?>){_NO_VALUE}[^<>\s][^<>\n]*(?=</)", rf"\1{HIDDEN}"),
    # name: DB_PASSWORD, and on the next line its value, as Kubernetes has it.
    (("value",), rf"(?i)({_NAME}[\"']?,?\s{{1,20}}[\"']?value[\"']?[ \t]*[:=][ \t]*[\"']?){_NO_VALUE}[^\s\"',}}]+",
     rf"\1{HIDDEN}"),
    (("passphrase",), rf"(?i)(passphrase{_IS}){_NO_VALUE}(?!{_QUOTE}|\s)[^\n,;.\"'*]+", rf"\1{HIDDEN}"),
    # .netrc; .pgpass, and whatever else has host:port:name:user:password.
    (("login",), rf"(?i)(\blogin\s+\S+\s+password\s+){_NO_VALUE}\S+", rf"\1{HIDDEN}"),
    ((":",),
     r"((?<![\w.:*/@-])(?:[\w.-]{1,200}|\*):(?:\d{4,5}|\*):[\w.*-]{1,64}:[\w.@*-]{1,64}:)(?![\s:])[^\s'\"]+",
     rf"\1{HIDDEN}"),
    # name=value, name: value; --name value; password 'value'
    (_NAMES, rf"(?i)({_NAME}(?:{_IS}|%3D)){_NO_VALUE}(?!{_QUOTE}){_BARE}(?:[ \t]/[ \t]\S+)?",
     rf"\1{HIDDEN}"),
    (("--",), rf"(?i)((?<!-)--[\w-]{{0,40}}{_NAME}[ \t]+){_NO_VALUE}(?!-|{_QUOTE}){_BARE}", rf"\1{HIDDEN}"),
    (_NAMES,
     rf"(?i)((?:pass(?:word|wd|phrase)|secret|api[_\- ]?key)[ \t]+([\"'`])){_NO_VALUE}(?:(?!\2)[^\n])+",
     rf"\1{HIDDEN}"),
    (("identified by",),
     r"(?i)(\b(?:create|alter|grant)\b[^\n;]{0,99}?\bidentified by[ \t]+)(?!values\b)[^\s\"';]+",
     rf"\1{HIDDEN}"),
    (("crypt(", "hmac("), r"(?i)((?:crypt|hmac)\([^'\n]{0,99},\s*')[^'\n]+", rf"\1{HIDDEN}"),
    (("identified by",),
     r"(?i)((?<!is )(?<!are )identified by[ \t]+(?:values[ \t]+)?([\"']))(?:(?!\2)[^\n])+", rf"\1{HIDDEN}"),
    (("curl",), r"(\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[ =]?[\"']?[\w.@+-]{1,64}:)[^\s\"']+", rf"\1{HIDDEN}"),
    (("mysql",), r"(\bmysql\w*\b[^\n]{0,200}?\s-p)[^\s\"']+", rf"\1{HIDDEN}"),
    (("redis-cli", "mongo", "docker login", "sshpass", "snowsql", "ldap", "unzip", " -a", "--auth", "7z", "az login",
      "sqlcmd", "bcp", "openssl", "pass:", "smbclient", "lftp", "net use", "htpasswd"),
     r"(\b(?:redis-cli\b[^\n]{0,99}?\s-a|(?:mongo\w*|sshpass|snowsql|docker login|az login|7z)\b[^\n]{0,99}?\s-p"
     r"|https?\b[^\n]{0,99}?\s(?:-a|--auth)|(?:unzip|sqlcmd|bcp)\b[^\n]{0,99}?\s-P|ldap\w+\b[^\n]{0,99}?\s-w"
     r"|openssl\b[^\n]{0,99}?\s(?:-k|-K|-pass(?:in|out)? pass:)|htpasswd\b[^\n]{0,99}?\s-\w*b\w* \S+ \S+"
     r"|smbclient\b[^\n]{0,99}?-U ?\w+%|lftp\b[^\n]{0,99}?-u ?[\w.@]+,|net use\b[^\n]{0,99}?/user:\S+) ?)[^\s\"']+",
     rf"\1{HIDDEN}"),
    (("requirepass", "masterauth", "bindpw", "auth "),
     rf"(\b(?:requirepass|masterauth|bindpw|AUTH)[ \t]+(?:\w{{1,40}}[ \t]+)?){_ODD}", rf"\1{HIDDEN}"),
    (("cookie",),
     rf"(?i)(cookies?{_IS}(?:{_QUOTE})?)(?:[\w.-]+=[^\"'\n]+|{{[^{{}}\n]+|{_ODD})", rf"\1{HIDDEN}"),
    (('"auth"',), r'("auth"\s{0,9}:\s{0,9}")[\w+/=-]{8,}', rf"\1{HIDDEN}"),
    # auth=("user", "password"), HTTPBasicAuth('user', 'password')
    (("auth", "log"),
     r"(?i)((?:auth[\"']?\s{0,3}[=:(]|log[io]n\()\s{0,3}[(\[]?[\"'][^\"'\n]{1,64}[\"'],\s{0,9}[\"'])[^\"'\n]+",
     rf"\1{HIDDEN}"),
    (("input_value",), rf"(?i)({_NAME}[^\n]{{0,60}}\n[^\n]{{0,200}}?input_value=([\"']))(?:(?!\2)[^\n])+",
     rf"\1{HIDDEN}"),
    (_NAMES, rf"(?i)((?:{_SAID})[_-]?\d*{_GAP}){_NO_VALUE}{_ODD}", rf"\1{HIDDEN}"),
    (("pass", "kennwort", "contrase", "senha", "парол", "mật kh"),
     rf"(?i)((?:password|passwd|passcode|{_OTHERS}) (?:is|was|is[t]|lautet|là|est|es):? [\"'`]?){_NO_VALUE}"
     rf"(?!(?:{_SAID_OF_ONE})\b)[^\s\"'`,;:()]{{4,64}}(?=[\"'`]?(?:[.,;)!]*(?:\s|$)))", rf"\1{HIDDEN}"),
    (("otp", "pin", "2fa", "mfa", "code", "password"),
     rf"(?i)({_CODE}(?:{_QUOTE})?[\s:=>-]{{0,4}}(?:(?:is|was)[\s:]{{1,3}})?(?:{_QUOTE})?)"
     r"(?=[A-Za-z-]{0,9}\d)(?!\d+[.:/-]\d)[A-Za-z0-9-]{4,14}(?!\w|[.]\d)", rf"\1{HIDDEN}"),
    (("mnemonic", "phrase", "codes"),
     rf"(?i)((?:mnemonic|(?:seed|recovery|secret|backup)[ _-](?:phrase|words|codes))(?:{_IS}(?:{_QUOTE})?|\s+is\s+))"
     r"(?:[\w-]{3,12}[ ,]{1,2}){1,24}[\w-]{3,12}", rf"\1{HIDDEN}"),
    (("$",), r"\$(?:1|2[abxy]|5|6|y|apr1|argon2\w{1,2})\$[\w./$,=+-]{8,}"
     r"|\b(?:scrypt|pbkdf2)[\w:]{0,40}\$[\w./$,=+-]{8,}", HIDDEN),  # of a password, hashed
    (("scram-sha-", "md5"), r"(?:(?<=SCRAM-SHA-256)\$[\w$:+/=]{20,}|(?<![A-Za-z0-9])md5[0-9a-f]{32})", HIDDEN),
    (("?", "&"), r"(?i)([?&](?:key|sig|auth|code|jwt|app_?id|hapikey)=)[^&\s\"'<>]+", rf"\1{HIDDEN}"),
    # What is known by itself: Slack, GitHub, GitLab, Stripe, npm, PyPI, Vault, SendGrid, Hugging Face, Docker,
    # Atlassian, Doppler, Shopify; Databricks, Telegram; Fernet; AWS, Google; JWTs.
    (("xox", "xapp-", "gh", "github_pat_", "gl", "sk-", "k_live_", "k_test_", "npm_", "pypi-", "hvs.", "sg.",
      "hvb.", "whsec_", "sntrys_", "dop_v1_", "nrak-", "pmak-", "gocspx-", "hf_", "dckr_pat_", "atatt3x", "dp.", "shp"),
     r"(?<![A-Za-z0-9])(?:xox[a-z]-|xapp-|gh[oprsu]_|github_pat_|gl\w{1,4}t-|gl(?:sa|ffct)_|hv[bs]\.|whsec_|sntrys_"
     r"|dop_v1_|NRAK-|PMAK-|GOCSPX-|sk-|[rs]k_(?:live|test)_|npm_|pypi-|SG\."
     r"|hf_(?=[A-Za-z]{20})|dckr_pat_|ATATT3x|dp\.\w{2,5}\.(?=\w{20})|shp(?:at|ca|pa|ss)_)[\w.-]{6,}", HIDDEN),
    # Databricks, Mailgun (both kinds), Mailchimp, Twilio (its key; its token behind its account), Supabase, HubSpot,
    # Airtable, New Relic: hexadecimal, which a commit is too.
    (("",),
     r"(?<![A-Za-z0-9])(?:(?:dapi|key-|SK|sbp_)[0-9a-f]{32,40}|[0-9a-f]{32}-(?:us\d{1,2}|[0-9a-f]{8}-[0-9a-f]{8})"
     r"|pat-\w{2,4}-[0-9a-f-]{36}|pat\w{14}\.[0-9a-f]{64}|NRI[IQ]-[\w-]{20,})(?![A-Za-z0-9])", HIDDEN),
    (("ac",), r"(?<![A-Za-z0-9])(AC[0-9a-f]{32}\W{1,9})[0-9a-f]{32}(?![A-Za-z0-9])", rf"\1{HIDDEN}"),
    ((":aa",), r"(?<!\d)\d{8,10}:AA[\w-]{20,}", HIDDEN),
    (("gaaaaa",), r"(?<![\w-])gAAAAA[\w-]{20,}={0,2}", HIDDEN),
    (("hooks.slack",), r"(?i)(hooks\.slack(?:-gov)?\.com/\w+/)[^\s\"'<>|]+", rf"\1{HIDDEN}"),
    (("/webhook",), r"(?i)(/webhook(?:s/\d+|b2)/)[^\s\"'<>|]+", rf"\1{HIDDEN}"),
    (("/token", "/integration"), r"(?i)(/tokens?/|/integrations?/(?=[0-9a-f]{32}))[\w-]{16,}", rf"\1{HIDDEN}"),
    (("akia", "asia", "abia", "acca", "aiza", "ya29."),
     r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}|AIza[\w-]{30,}|ya29\.[\w-]{10,})", HIDDEN),
    (("eyj",), r"(?<![\w-])eyJ[\w-]{6,}(?:\.[\w-]*){1,4}", HIDDEN),
    # AWS's secret keys have no mark but their length and their alphabet; a commit's hash has no capitals.
    (("",),
     r"(?<![\w/+=.-])(?=\S{0,39}[A-Z])(?=\S{0,39}[a-z])(?=\S{0,39}\d)(?!(?:[^/\s]{0,39}/){4})"
     r"[A-Za-z0-9/+]{40}(?![\w/+=-]|\.\w)", HIDDEN),
)  # fmt: skip
_COMPILED = [(hints, re.compile(pattern), by) for hints, pattern, by in _SHAPES]
_LONG_WORD = re.compile(r"(?<![\w+/-])[\w+/-]{12,}={0,2}(?![\w+/-])", re.ASCII)
_TURNS = re.compile(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]")


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` in the place of each of these; of a shorter one where it comes in quotes."""
    for secret in secrets:
        part_of_a_word = (secret[:1] + secret[-1:]).isalnum()
        if len(secret) >= (SHORTEST if part_of_a_word else 3):
            text = text.replace(secret, HIDDEN)
    return text


@lru_cache(maxsize=16384)
def redacted(text: str) -> str:
    """The text with `***` in the place of each secret that can be told by its shape or by the name before it."""
    return text if len(text) < 8 else _LONG_WORD.sub(_unless_random, _without_shapes(text))


def _without_shapes(text: str) -> str:
    lower = text.lower()
    for hints, pattern, by in _COMPILED:
        if any(hint in lower for hint in hints):
            text = pattern.sub(by, text)
    return text


def _unless_random(word: re.Match[str]) -> str:
    """The word; `***` for one of random letters, or for a name and a password in base64.

    Random letters change between small ones, capitals and digits at every other place; names that people choose do not.
    """
    said = word[0]
    kinds = (str.islower, str.isupper, str.isdigit)
    mixed = "".join(
        part for part in said.split("/") if len(part) >= 12 and all(any(map(kind, part)) for kind in kinds)
    )
    turns = len(_TURNS.findall(mixed))
    if turns > max(11, 0.4 * len(mixed)) or (len(mixed) >= 48 and not {*"_-"} & {*mixed}):
        return HIDDEN
    if any(_is_random(part) for part in re.split("[/_+-]", said)):
        return HIDDEN
    bare = said.rstrip("=")
    try:
        told = base64.b64decode(f"{bare}{'=' * (-len(bare) % 4)}", b"-_", validate=True).decode("ascii")
    except ValueError:
        return said
    pair = re.fullmatch(r"[\w.@+-]{1,64}:\S{4,}", told) or _without_shapes(told) != told
    return HIDDEN if pair and told.isprintable() else said


def _is_random(part: str) -> bool:
    """Whether letters and digits stand in it as no name has them: a name has its number at one place."""
    numbers, length = len(re.findall(r"\d+", part)), len(part)
    if re.fullmatch(r"[a-z0-9]+|[A-Z0-9]+", part):
        return length >= 32 and numbers > length / 9 and re.search("[G-Zg-z]", part) is not None
    return length >= 20 and numbers > 2 and len(_TURNS.findall(part)) > 0.4 * length
