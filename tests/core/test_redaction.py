"""No secret goes out: whatever stands around it, and in whatever shape; and ordinary sentences stay as they are."""

from __future__ import annotations

import base64
import datetime as dt
import random
import re
import string
import time
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from oncall.adapters.opsgenie.alert import alert
from oncall.adapters.slack.blocks import blocks, plain_text, text
from oncall.core.errors import ConfigError, DeliveryFailed, Problem, Unreadable
from oncall.core.incidents.incident import Event
from oncall.core.message import Message
from oncall.core.promises.why import Why
from oncall.core.redaction import _NO_VALUE, redacted, without
from tests.exploring import examples

ROOT = Path(__file__).resolve().parents[2]
ALNUM = string.ascii_letters + string.digits
PASSWORD = st.text(ALNUM + "!#$%^*_+-~.=|", min_size=8, max_size=40).filter(
    lambda word: len(set(word)) > 4 and word[0] in ALNUM and word[-1] in ALNUM and any(map(str.isdigit, word))
)
TOKEN = st.text(ALNUM, min_size=24, max_size=60).filter(lambda word: any(map(str.isdigit, word)))
ODD = st.text(ALNUM + "!#$%^*_+~|", min_size=8, max_size=40).filter(
    lambda word: (
        any(map(str.isdigit, word)) and any(map(str.isalpha, word)) and {word[0], word[-1]} <= {*ALNUM}
    )
)
DIGITS = st.text(string.digits, min_size=6, max_size=8)
# Without the words that announce a secret themselves.
WORD = st.text(string.ascii_lowercase, min_size=6, max_size=8).filter(
    lambda word: word not in ("bearer", "geniekey")
)
WORDS = st.lists(WORD, min_size=6, max_size=24).map(" ".join)
UUID = st.uuids().map(str)
LETTERS = st.text(string.ascii_lowercase, min_size=8, max_size=12).filter(lambda word: len(set(word)) > 4)


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=digits, max_size=digits).filter(
        lambda word: len(set(word)) > 6
    )


IN_AN_ADDRESS = st.text(ALNUM + "!#$%^&*_+-~.=|/:@?,;", min_size=8, max_size=40).filter(
    lambda word: len(set(word)) > 4 and not word[0].isdigit() and word[-1] in ALNUM and "***" not in word
)

SHAPES = {
    "postgresql://etl:{}@db.example.com:5432/warehouse": IN_AN_ADDRESS,
    "postgresql+psycopg2://:{}@/airflow?host=/run": IN_AN_ADDRESS,
    "HTTPS://user:{}@example.com/x?y=1": IN_AN_ADDRESS,
    "amqp://guest:{}@[::1]:5672//": IN_AN_ADDRESS,
    "https://{}@sentry.example.com/7": TOKEN,
    "etl:{}@db.example.com:5432": TOKEN,
    "etl:{}@db/warehouse": TOKEN,
    "token={}": PASSWORD,
    "https://example.com/hook?token={}&channel=a": TOKEN,
    "https://example.com/calendar.ics?key={}": TOKEN,
    "password={} host=db": PASSWORD,
    "host=db password='{}' user=etl": PASSWORD,
    "Password: {}": PASSWORD,
    "DB_PASSWD={}": PASSWORD,
    "UID=sa;PWD={};Database=x": PASSWORD,
    "AWS_SECRET_ACCESS_KEY={}": PASSWORD,
    "AIRFLOW__CORE__FERNET_KEY={}": PASSWORD,
    "AccountName=x;AccountKey={};EndpointSuffix=y": PASSWORD,
    'api_key": "{}"': PASSWORD,
    '{{"api_key": "{}", "region": "eu"}}': PASSWORD,
    "{{'apiKey': '{}'}}": PASSWORD,
    '{{\\"client_secret\\": \\"{}\\", \\"a\\": 1}}': PASSWORD,
    "Authorization: Bearer {}": PASSWORD,
    "'Authorization': 'GenieKey {}'": UUID,
    "authorization: Basic {}": PASSWORD,
    "curl -H 'X-Auth-Token: {}'": PASSWORD,
    "Bearer {}": PASSWORD,
    "GenieKey {}": UUID,
    "xoxb-{}": TOKEN,
    "xoxp-1234-5678-{}": TOKEN,
    "xapp-1-A-{}": TOKEN,
    "ghp_{}": TOKEN,
    "https://hooks.slack.com/services/T000/B000/{}": TOKEN,
    "mysql --password {} shop": PASSWORD,
    "mysqldump -u root -p{} shop": TOKEN,
    "curl -u admin:{} https://example.com/x": TOKEN,
    "create user etl identified by '{}'": PASSWORD,
    "<password>{}</password>": TOKEN,
    "password: |\n  {}\nhost: db": PASSWORD,
    "pw={}": PASSWORD,
    "Passwort: {}": PASSWORD,
    "mật khẩu: {}": PASSWORD,
    "пароль={}": PASSWORD,
    "Set-Cookie: session={}": TOKEN,
    '{{"auth": "{}"}}': TOKEN,
    "client-key-data: {}": TOKEN,
    "etl:$6$salt${}": TOKEN,
    "github_pat_{}": TOKEN,
    "dapi{}": st.text("0123456789abcdef", min_size=32, max_size=32).filter(lambda word: len(set(word)) > 6),
    "4711008150:AA{}": TOKEN,
    "gAAAAA{}": TOKEN,
    "https://discord.com/api/webhooks/4711/{}": TOKEN,
    "https://shop.webhook.office.com/webhookb2/{}": TOKEN,
    "https://example.com/api/tokens/{}": TOKEN,
    "Key (token)=({}) already exists.": TOKEN,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}": TOKEN,
    "AKIA{}": st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16),
    "{}": st.text(ALNUM + "/+", min_size=40, max_size=40).filter(
        lambda key: all(any(c in kind for c in key) for kind in (string.ascii_uppercase, string.ascii_lowercase,
                                                                 string.digits)) and key.count("/") < 4
    ),
    "the password is {}": ODD,
    "the password for user etl was {}": ODD,
    "Password (etl): {}": ODD,
    "password：{}": ODD,
    "password -> {}": ODD,
    "**Password**: `{}`": ODD,
    "| api_key | {} |": ODD,
    "tried DB_PASS {}, refused": ODD,
    "db_password\n  Input should be valid [type=x, input_value='{}', input_type=str]": PASSWORD,
    "the new password, {}, works": ODD,
    "Password:\n  {}": ODD,
    "The API key {} is invalid": ODD,
    "invalid token {}": ODD,
    "token '{}' is unknown": ODD,
    "client secret {} has expired": ODD,
    "your OTP is {}": DIGITS,
    "PIN: {}": DIGITS,
    "pin_code={}": DIGITS,
    "one-time code {}": DIGITS,
    "MFA code: {}": DIGITS,
    "seed phrase: {}": WORDS,
    "mnemonic={}": WORDS,
    "passphrase: {}": WORDS,
    "Cookie: {}": ODD,
    "cookies={{'session': '{}'}}": TOKEN,
    "{{'sessionid': '{}'}}": ODD,
    '{{"a": "{{\\"b\\": \\"{{\\\\\\"token\\\\\\": \\\\\\"{}\\\\\\"}}\\"}}"}}': TOKEN,
    "&quot;password&quot;:&quot;{}&quot;": TOKEN,
    "\\u0022password\\u0022:\\u0022{}\\u0022": TOKEN,
    "password%3A%20{}": TOKEN,
    "[('X-Token', '{}')]": ODD,
    "['--password', '{}']": ODD,
    '{{"name":"DB_PASSWORD","value":"{}"}}': ODD,
    "- name: DB_PASSWORD\n  value: {}": ODD,
    "auth=('etl', '{}')": PASSWORD,
    '{{"auth": ["etl", "{}"]}}': PASSWORD,
    "HTTPBasicAuth('etl', '{}')": PASSWORD,
    "insert into users (name, password) values ('etl', '{}')": PASSWORD,
    "[SQL: INSERT INTO u (a, token) VALUES (%s, %s)]\n[parameters: ('etl', '{}')]": PASSWORD,
    "password='it''s {}'": TOKEN,
    "…\n{}\n…": st.integers().map(lambda seed: base64.b64encode(random.Random(seed).randbytes(72)).decode()),
    "base64 {}": PASSWORD.map(lambda word: base64.b64encode(f"etl:{word}".encode()).decode()),
    "creds: {}": PASSWORD.map(lambda word: base64.b64encode(f'{{"password": "{word}"}}'.encode()).decode()),
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n{}": TOKEN,
    "…{}\nA1b2\n-----END PRIVATE KEY-----": TOKEN,
    "etl/{}@db.example.com:1521/shop": ODD,
    "jdbc:oracle:thin:etl/{}@//db:1521/shop": ODD,
    "etl:{}@localhost": ODD,
    "redis-cli -h cache -a {} ping": TOKEN,
    "REDISCLI_AUTH={}": TOKEN,
    "requirepass {}": ODD,
    "AUTH default {}": ODD,
    "mongodb+srv://app:{}@c0.example.net/?w=1": IN_AN_ADDRESS,
    "rediss://:{}@cache:6380/0": IN_AN_ADDRESS,
    "snowflake://etl:{}@acme/db": IN_AN_ADDRESS,
    "Driver={{ODBC Driver 18}};Server=db;Uid=etl;Pwd={};Encrypt=yes": PASSWORD,
    "sshpass -p {} ssh etl@host": TOKEN,
    "etl: SCRAM-SHA-256$4096:c2FsdA==${}": TOKEN,
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----": TOKEN,
    "machine api.example.com\n  login etl\n  password {}\n": LETTERS,
    "db.example.com:5432:shop:etl:{}": PASSWORD,
    "*:*:*:etl:{}": PASSWORD,
    "my password is {}": LETTERS.map(lambda word: f"{word}x"),
    "Das Passwort lautet {}": ODD,
    "mật khẩu là {}": ODD,
    "password `{}`": LETTERS,
    "- name: DB_PASSWORD\n  value: \"{}\"": LETTERS,
    '<w:Password Type="x#PasswordText">{}</w:Password>': LETTERS,
    "create user etl identified by {} default tablespace x": ODD,
    "pgp_sym_decrypt(email, '{}')": LETTERS,
    "smtp.login('etl@example.com', '{}')": LETTERS,
    "sqlcmd -S h -U sa -P {} -Q": ODD,
    "az login --service-principal -u x -p {}": ODD,
    "mongosh -u etl -p {} --host db": LETTERS,
    "openssl rsa -passin pass:{}": LETTERS,
    "smbclient //h/s -U etl%{}": LETTERS,
    "net use /user:etl {}": LETTERS,
    "scrypt:32768:8:1$abc${}": hexadecimal(64),
    "pbkdf2_sha256$600000$abc${}": TOKEN,
    "Authorization: Splunk {}": UUID,
    "Authorization: HMAC {}": st.text(string.ascii_letters, min_size=24, max_size=24).filter(
        lambda word: len(set(word)) > 6
    ),
    'Authorization: Digest username="etl", realm="x", response="{}"': hexadecimal(32),
    "Ocp-Apim-Subscription-Key: {}": hexadecimal(32),
    "X-ClickHouse-Key: {}": ODD,
    '"routing_key": "{}"': hexadecimal(32),
    '"secret_id": "{}"': UUID,
    "https://events.example.com/integration/{}/enqueue": hexadecimal(32),
    "https://api.example.com/x?appid={}": hexadecimal(32),
    "SAMLResponse={}": st.integers().map(lambda seed: base64.b64encode(random.Random(seed).randbytes(96)).decode()),
    "Fernet key {} is wrong": st.integers().map(
        lambda seed: base64.urlsafe_b64encode(random.Random(seed).randbytes(32)).decode()
    ),
    "key-{}": hexadecimal(32),
    "SK{}": hexadecimal(32),
    "{}-us12": hexadecimal(32),
    "{}-0a1b2c3d-4e5f6a7b": hexadecimal(32),
    "sbp_{}": hexadecimal(40),
    "pat-na1-{}": UUID,
    "Client('AC00112233445566778899aabbccddeeff', '{}')": hexadecimal(32),
    "PAT {} rejected": st.integers().map(
        lambda seed: "".join(random.Random(seed).choices(string.ascii_lowercase + string.digits, k=52))
    ),
}  # fmt: skip
AROUND = st.sampled_from(
    [
        "",
        "could not connect: ",
        "ValueError: ",
        "task transform failed at 02:12: ",
        "('",
        "[",
        "see ",
        '{"m": "',
    ]
)
AFTER = st.sampled_from(["", ".", ", retrying", " (attempt 2)", "\nLINE 1: select", "'", "; 3 rows"])


def leaks(secret: str, said: str, around: str) -> bool:
    """Any six letters of it in a row that do not stand around it too: half a secret is too much."""
    parts = (secret[at : at + 6] for at in range(len(secret) - 5))
    return any(part in said and part not in around for part in parts)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_in_a_text_never_survives(shape: str) -> None:
    """Each shape, with any secret, before and after anything."""

    @settings(max_examples=examples(20))
    @given(SHAPES[shape], AROUND, AFTER)
    def law(secret: str, before: str, after: str) -> None:
        assume(re.match(_NO_VALUE, secret, re.IGNORECASE))  # `undefined` is no secret
        said = redacted(before + shape.format(secret) + after)
        assert not leaks(secret, said, before + shape + after), said
        assert said.startswith(before)
        assert redacted(said) == said

    law()


def test_a_password_of_a_letter_or_two_leaves_a_sentence_to_read() -> None:
    """As in Airflow's own log."""
    for short in ("e", "on", "1", "port", " ", "."):
        assert without("no connection to port 5431", [short]) == "no connection to port 5431"
    assert without("tried hunter, refused", ["hunter", "e"]) == "tried ***, refused"
    assert without('role "e" is not let in', ["e", '"e"']) == "role *** is not let in"


def test_a_secret_that_begins_like_a_program_does_not_survive() -> None:
    """`os.environ[…]` stands for a value, and no more than that begins with `os.`."""
    assert redacted("Authorization: Bearer OS.00001") == "Authorization: Bearer ***"
    assert redacted("password=os.4711x") == "password=***"


ORDINARY = [
    'write {"conn_type": "…", "password": "…", "extra": {…}}',
    "master.sessions has not arrived, usually there by 01:20",
    'relation "master.sessions" does not exist',
    'UndefinedColumn: column "token" does not exist',
    'duplicate key value violates unique constraint "orders_pkey"',
    "Key (order_id)=(4711) already exists.",
    "check primary_key: expected 0, found 12 (order_id 4711)",
    "foreign key (order_id)=(5) is not present in table orders",
    'connection to server at "10.0.0.5", port 5432 failed: FATAL:  password authentication failed for user "etl"',
    "DE-001 (de-001@example.com), then DE-002 <de-002@example.com>",
    "mailto:de-001@example.com",
    "to:de-001@example.com, cc:de-002@example.com: see /oncall",
    "git@github.com:org/repo.git at 05:00@host",
    "(Background on this error at: https://sqlalche.me/e/20/e3q8)",
    "https://airflow.example.com/dags/profit_etl/runs/scheduled__2026-11-22T19%3A00%3A00%2B00%3A00",
    "http://localhost:8080/oncall/runbooks/profit_etl#upstream-late",
    "https://user@example.com/x",
    "git+ssh://git@github.com/org/repo.git",
    "http://127.0.0.1:8025/opsgenie: 422: de-001@example.com is no user",
    "https://[2001:db8::1]:8080/x?to=a@b.example",
    "postgresql://etl@db.example.com/warehouse",
    "the token has expired; invalid token: expired",
    "unexpected token 'end of statement block'",
    "roster.yaml: opsgenie.token: found nothing; write a key of an API integration",
    "connection 'slack_api_default' has no password: write the API key or token there",
    "put a valid bot token (xoxb-…) into the connection's password",
    "KeyError: 'password'",
    "connect() got an unexpected keyword argument 'password'",
    "TypeError: token: str expected",
    "5f2b8c1de09a4b7f8d3c6e1a2b3c4d5e6f708192",
    "2026-11-22:page-1-primary, growth_etl:2026-11-22:r2",
    "make it so; bearer of bad news; basic checks, 12 of them; token ring",
    "psql \"$WAREHOUSE\" -c 'select 1' --password",
    "mysql -u root -p shop; ps -u airflow; docker run -u 1000:0 -p 8080:8080",
    "each customer is identified by 'customer_id'",
    "the cookie: it has expired; cookies are off",
    "rows where a = $1 and b = $2; costs $5",
    "<token> stands for yours; <password></password>",
    "/api/v2/tokens/; /webhooks; dapi; the pw of the week",
    'airflow users create --password "$AIRFLOW_ADMIN_PASSWORD"',
    'curl -H "Authorization: Bearer $TOKEN" https://airflow.example.com/api/v2/dags',
    "export SLACK_TOKEN=<your token>; export API_KEY={{ var.value.key }}; export TOKEN=$(cat file)",
    "password = os.environ['PGPASSWORD']",
    "/opt/airflow/plugins/Oncall2/adapters/warehouse_reader_2.py",
    "the password is wrong; the password is too short; the token is not set; your password was reset",
    "password authentication failed for user etl2026 at 10.0.0.5",
    "table sessions has a column token of type uuid; see secrets/readme2.md",
    "the pin 3.3.2 of Airflow; exit code 137; SQLSTATE 40001; verification of 48 rows",
    "scheduled__2026-11-22T19_00_00_0000, manual__2026-11-23T02_00_00_123456_0000_Abc1",
    "https://github.com/dpgaspar/Flask-AppBuilder/blob/c6fecdc551629e15467fde5d06b4437379d90592/a/decorators.py#L134",
    "AirflowTaskTerminatedException2InWorker: PostgresHookForTheWarehouse2",
    "| token | type | set |, **Token**: how to make one, `password` is a column of 2 tables",
    "report_date\n  Input should be a valid date [type=date_parsing, input_value='2026-13-01', input_type=str]",
    "cookies are off: the browser of 2026 asks each time",
    "mailto:john1987@example.com, org/app2@example.com, actions/checkout@v4",
    "insert into sessions (session_id, customer_id) values (4711, 12)",
    "example: session_id 7f3a-22, quantity 3, expected 12 rows (7:10 of 12:30)",
    "🙂 Tổng doanh thu: 12.40 ≠ 12.41",
    "the password is wrong; password is expired; the password is too short. The password is case-sensitive",
    "routing_key='celery', primary_key=order_id, partition_key: 2026-11-22, sort key customer_id",
    "commit 5f2fa8c1de09a4b7f8d3c6e1a2b3c4d5e6f70819; sha256 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978",
    "relation tmp_0f1e2d3c4b5a69788796a5b4c3d2e1f0 does not exist; not_null_orders_id.fed79b3a6e",
    "/docs/latest/integrations/available-integrations/configure-webhook/",
    "encrypt(x) failed; decryption of 3 rows; crypt('x')",
    "models/base.sql:1234:56:error: syntax; 10.0.0.5:5432: refused; at 05:00:00:123",
    "sessions in use /user: none; identified by customer_id; user is identified by 4 letters",
]


@pytest.mark.parametrize("said", ORDINARY)
def test_an_ordinary_sentence_stays_as_it_is(said: str) -> None:
    """Tables, SQL errors, people, addresses and commands tell what happened: nothing of them is hidden."""
    assert redacted(said) == said


@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / "include").rglob("*.*")), *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda path: path.name,
)
def test_what_we_ship_reads_as_written(path: Path) -> None:
    """Runbooks (their commands too), roster, SQL and documents."""
    written = path.read_text(encoding="utf-8")
    assert redacted(written) == written


MARKS = re.compile(
    r"(?i)bearer|geniekey|basic|token|apikey|pass|pwd|credential|signature|authorization|secret|key|xox|xapp|gh|glpat"
    r"|sk|rk|npm|pypi|hvs|sg|ey|akia|asia|abia|acca|aiza|ya29|pw|hf|dckr|atatt|dp|shp|dapi|gaaaaa|mysql|cookie"
    r"|pin|otp|2fa|mfa|code|auth|sess|mnemonic|phrase|kennwort|contrase|senha|парол|mật|密码|パスワード|identified|webhook|[$]"
)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="=:@-&?'\"<>"), max_size=60).filter(
        lambda said: not MARKS.search(said)
    )
)
@example("")
def test_what_has_no_mark_of_a_secret_is_not_touched(said: str) -> None:
    """Any words of any language."""
    assert redacted(said) == said


@pytest.mark.parametrize(
    "text",
    ["a", "://u:", "password=", "eyJ", "eyJ-", '"password": "', "A1a/", "-----BEGIN PRIVATE KEY-----", "--token",
     "authorization:", "https://", "@", "&a", "token=,", "Bearer ", "\\'", "pass", "mysql -", "cookie:a", "$1$",
     "curl -u a:", "<pw>", "pw: |\n ", "1:aa", "gAAAAA-", "/webhooks/1", "пароль",
     "token ", "password is ", "pin ", "cookie:{", "(token)=(", "(password", "A1b2\nprivate key-----", "ab1/", "a1:b",
     "http -a", "auth('a','", "seed phrase: ab1 ", "Ab1", "aA1+", "a:1234:b:c:", "password: a b", "openssl -k", "ab12",
     "password is ab", "crypt(a,'", "login a password ", "digest response=", "password,value: ", "<pw a>",
     "user identified by "],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    """A message of 100 kB of anything costs less than a look may."""
    began = time.process_time()  # the machine may have more to do
    redacted(text * (100_000 // len(text)))
    assert time.process_time() - began < 10


SECRET = "hunter2hunter2"


def test_everything_that_crosses_a_border_is_redacted_where_it_is_made() -> None:
    """Messages, causes, events, errors and problems cannot hold what looks like a secret."""
    told = f"cannot connect: postgresql://etl:{SECRET}@db/x"
    made = [
        Message(
            "k",
            "s",
            told,
            told,
            (("Cause", told),),
            f"```\n{told}\n```",
            (("Log", f"https://a:{SECRET}@b/"),),
        ),
        Why("failed", told),
        Event("k", dt.datetime(2026, 11, 22, tzinfo=dt.UTC), told),
        Unreadable(told),
        DeliveryFailed(told),
        ConfigError([Problem("roster.yaml", "opsgenie.host", told, "an address")]),
    ]
    for error in made:
        assert SECRET not in repr(error)
        assert SECRET not in str(error)
        assert "db/x" in f"{error!r} {error}"


def test_neither_far_side_is_sent_a_secret() -> None:
    """The alert and the post, in each of their forms."""
    told = f'api_key": "{SECRET}" was refused'
    message = Message("k", "s", told, told, (("Cause", told),), told)
    for sent in (alert(message), blocks(message), text(message), plain_text(message)):
        assert SECRET not in str(sent)
        assert "was refused" in str(sent)
